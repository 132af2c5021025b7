"""Training or evaluation mode, for as long as it is wanted.

module  ->  mode  ->  every submodule in the mode it was in
"""

import contextlib
from collections.abc import Iterator

from torch import nn


@contextlib.contextmanager
def mode(module: nn.Module, training: bool) -> Iterator[None]:
    """Put every submodule into training or evaluation mode, and back afterwards.

    Back into its own: ``module.train()`` would bring layers along that were frozen.
    """
    before = {part: part.training for part in module.modules()}
    module.train(training)
    try:
        yield
    finally:
        for part, was in before.items():
            part.training = was
