r"""How many networks there are that compute the same, by permuting units alone.

spec  ->  log10_symmetries;   widths of the layers  ->  published_count

Every group of n units can be put in n! orders, so the count is a product of factorials. Signs and
scales, which symmetries of other kinds change, are not counted.
"""

import math
from collections.abc import Iterable, Mapping

from modeconn_lib.permutation.nested import shuffles
from modeconn_lib.permutation.spec import PermutationSpec

_STAGES = ((64, 3), (128, 4), (256, 6), (512, 3))  # inner channels and blocks of ResNet50's stages

# What table 1 of Git Re-Basin counts. Its ResNet50 is every convolution on the main way, each with
# an order of its own: shortcut convolutions are passed over, and it is not held against the others
# that a stage's blocks are added up and so must share one order.
PUBLISHED_LAYERS: Mapping[str, tuple[int, ...]] = {
    "MLP (3 layers, 512 width)": (512, 512, 512),
    "VGG16": (64, 64, 128, 128, *(256,) * 3, *(512,) * 6, 4096, 4096),
    "ResNet50": (64, *(n for w, blocks in _STAGES for n in (w, w, 4 * w) * blocks)),
}


def log10_symmetries(spec: PermutationSpec) -> float:
    r"""Return :math:`\log_{10} \prod_g n_g!`, the number of orders of all groups together.

    Layers that must be permuted alike (a residual stream) are one group and count once. A group
    inside blocks counts once for each block.
    """
    counts = shuffles(spec).values()
    return sum(times * math.lgamma(units + 1) for times, units in counts) / math.log(10)


def published_count(sizes: Iterable[int]) -> int:
    r"""Return :math:`\sum_l \lfloor \log_{10} n_l! \rfloor`, the exponent that table 1 prints.

    Rounding down layer by layer loses up to one for each layer: VGG16's true exponent is larger.

    Parameters
    ----------
    sizes
        Units of each layer, as `PUBLISHED_LAYERS` has them.

    References
    ----------
    Git Re-Basin (Ainsworth et al. 2023), table 1.
    """
    return sum(math.floor(math.log10(math.factorial(units))) for units in sizes)
