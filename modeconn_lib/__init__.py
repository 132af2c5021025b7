r"""Align, connect and merge neural networks.

A network is plain data: a dictionary from names to tensors, `Params`. Three steps lead from two
networks to a measured connection, and each step takes only what the one before gives:

1. *Choose a representative of B modulo permutation.* `trace` reads off a module's graph which units
   may change places; `align_activations` finds the order in which B's units do what A's units do,
   `match_weights` the one in which their weights agree, `learn_permutation` the one whose midpoint
   loses least; `permute` writes B down in that order, and `check_equivalence` shows that it still
   computes the same. `merge_many` does so for any number of networks, and averages them.
2. *Choose a path from A to it.* `segment`, `slerp`, `bezier` and `chain` map t in [0, 1] to a
   network; `LearnCurve` and `fit` move the inner points of a curve to where the loss is low.
3. *Measure the path.* `measure_path` gives loss and accuracy at every t, with batch-norm statistics
   taken anew at each.

Everything a paper's figure needs beyond that, the data sets, the profiles, the plans and the store
of records, is in `experiments` and below; the library does not need them to work on your networks.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from modeconn_lib.alignment.activations import Alignment, align_activations, apply
    from modeconn_lib.alignment.many import merge_many
    from modeconn_lib.alignment.straight_through import Judge, learn_permutation
    from modeconn_lib.alignment.weights import learnable, match_weights
    from modeconn_lib.core.hardware import Machine
    from modeconn_lib.core.params import Params, lerp, params_of
    from modeconn_lib.evaluation.along_path import Protocol, barrier, grid, measure_path
    from modeconn_lib.paths.curves import Curve, bezier, chain, midpoint, segment
    from modeconn_lib.paths.fit import LearnCurve
    from modeconn_lib.paths.spherical import slerp
    from modeconn_lib.permutation.apply import permute
    from modeconn_lib.permutation.equivalence import check_equivalence
    from modeconn_lib.permutation.spec import AxisSpan, PermutationSpec
    from modeconn_lib.permutation.trace import trace
    from modeconn_lib.training.fit import Recipe, fit
    from modeconn_lib.training.objectives import TrainNetwork

_HOMES = {  # loaded when first asked for: the command line starts without most of them
    "alignment.activations": ("Alignment", "align_activations", "apply"),
    "alignment.many": ("merge_many",),
    "alignment.straight_through": ("Judge", "learn_permutation"),
    "alignment.weights": ("learnable", "match_weights"),
    "core.hardware": ("Machine",),
    "core.params": ("Params", "lerp", "params_of"),
    "evaluation.along_path": ("Protocol", "barrier", "grid", "measure_path"),
    "paths.curves": ("Curve", "bezier", "chain", "midpoint", "segment"),
    "paths.fit": ("LearnCurve",),
    "paths.spherical": ("slerp",),
    "permutation.apply": ("permute",),
    "permutation.equivalence": ("check_equivalence",),
    "permutation.spec": ("AxisSpan", "PermutationSpec"),
    "permutation.trace": ("trace",),
    "training.fit": ("Recipe", "fit"),
    "training.objectives": ("TrainNetwork",),
}

__all__ = [
    "Alignment",
    "AxisSpan",
    "Curve",
    "Judge",
    "LearnCurve",
    "Machine",
    "Params",
    "PermutationSpec",
    "Protocol",
    "Recipe",
    "TrainNetwork",
    "align_activations",
    "apply",
    "barrier",
    "bezier",
    "chain",
    "check_equivalence",
    "fit",
    "grid",
    "learn_permutation",
    "learnable",
    "lerp",
    "match_weights",
    "measure_path",
    "merge_many",
    "midpoint",
    "params_of",
    "permute",
    "segment",
    "slerp",
    "trace",
]


def __getattr__(name: str) -> Any:
    """Return a public name from the module it lives in."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"modeconn_lib.{home}"), name)
    raise AttributeError(f"module 'modeconn_lib' has no attribute {name!r}")


def __dir__() -> list[str]:
    """Return the public names."""
    return __all__
