"""Run a graph without chance.

graph, arguments  ->  Steady  ->  its results, as if nothing were ever dropped

What two networks compute can be compared only if the same units are dropped in both: here none.
"""

from typing import Any

import torch
from torch import fx


class Steady(fx.Interpreter):
    """An interpreter of graphs for which dropout and its kin leave everything as it is."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Call the operator, unless it draws random numbers."""
        name = target._opname if isinstance(target, torch._ops.OpOverload) else ""
        if name == "native_dropout":
            return args[0], torch.ones_like(args[0])
        if "dropout" in name:
            return args[0]
        if name == "scaled_dot_product_attention":  # its fifth argument is the share to drop
            args = (*args[:4], 0.0, *args[5:])[: len(args)]
            kwargs = {**kwargs, **({"dropout_p": 0.0} if "dropout_p" in kwargs else {})}
        if name == "bernoulli":
            return torch.ones_like(args[0])
        return super().call_function(target, args, kwargs)
