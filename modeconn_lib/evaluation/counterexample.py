r"""Two networks that no reordering of units joins by a straight line (Git Re-Basin, section 4).

A, B, an order of B's units, lambda  ->  between  ->  layers  ->  accuracy

Everything is a fraction, and `planar` finds areas exactly: the accuracies here are numbers with no
error at all. The networks have two inputs, two hidden layers of two units, and one output.
"""

from collections.abc import Mapping, Sequence
from fractions import Fraction

from modeconn_lib.evaluation.planar import (
    Affine,
    Layer,
    Polygon,
    pieces,
    share_of_zero,
    share_right,
)

Network = tuple[Layer, ...]

_ZERO, _ONE = Fraction(0), Fraction(1)


def _layer(weight: Sequence[Sequence[int]], bias: Sequence[int]) -> Layer:
    return Layer(tuple(tuple(map(Fraction, row)) for row in weight), tuple(map(Fraction, bias)))


# Equations 4 and 5. A's first layer looks at x2 and its second at x1; with B it is the reverse.
A: Network = (
    _layer([[-1, 0], [0, -1]], [1, 0]),
    _layer([[-1, 0], [0, 1]], [1, 0]),
    _layer([[-1, -1]], [0]),
)
B: Network = (
    _layer([[1, 0], [0, 1]], [0, 1]),
    _layer([[1, 0], [0, -1]], [0, 1]),
    _layer([[-1, -1]], [0]),
)

# Whether the two units of the first and of the second layer of B change places: there are no more.
ORDERS: Mapping[str, tuple[bool, bool]] = {
    "as written": (False, False),
    "first layer swapped": (True, False),
    "second layer swapped": (False, True),
    "both swapped": (True, True),
}

# x is uniform on the square from -1 to 1. The label is yes where x1 < 0 and x2 > 0.
SQUARE: Polygon = ((-_ONE, -_ONE), (_ONE, -_ONE), (_ONE, _ONE), (-_ONE, _ONE))
YES: tuple[Affine, ...] = ((-_ONE, _ZERO, _ZERO), (_ZERO, _ONE, _ZERO))

PUBLISHED_SLOPE = Fraction(1, 100)  # the authors' code has leaky units; the paper's text has ReLU


def reordered(network: Network, order: str) -> Network:
    """Return the same function with its hidden units in one of `ORDERS`.

    Raises
    ------
    KeyError
        If there is no such order; the message lists those there are.
    """
    if order not in ORDERS:
        raise KeyError(f"no order {order!r} of the units; there are: {', '.join(ORDERS)}")
    first, second, out = network
    for swap, above, below in ((ORDERS[order][0], 0, 1), (ORDERS[order][1], 1, 2)):
        if swap:
            layers = [first, second, out]
            layers[above] = Layer(layers[above].weight[::-1], layers[above].bias[::-1])
            columns = tuple(row[::-1] for row in layers[below].weight)
            layers[below] = Layer(columns, layers[below].bias)
            first, second, out = layers
    return first, second, out


def between(a: Network, b: Network, t: Fraction) -> Network:
    r"""Return the network :math:`(1 - \lambda)\,\theta_A + \lambda\,\theta_B`."""
    return tuple(
        Layer(
            tuple(
                tuple((1 - t) * x + t * y for x, y in zip(p, q, strict=True))
                for p, q in zip(of_a.weight, of_b.weight, strict=True)
            ),
            tuple((1 - t) * x + t * y for x, y in zip(of_a.bias, of_b.bias, strict=True)),
        )
        for of_a, of_b in zip(a, b, strict=True)
    )


def accuracy(network: Network, *, zero_is_yes: bool = True, slope: Fraction = _ZERO) -> Fraction:
    r"""Return the share of the square on which the network is right.

    Parameters
    ----------
    zero_is_yes
        The paper's rule is :math:`f \ge 0`. It matters: f is exactly 0 wherever A or B say yes.
    slope
        Of the nonlinearity below 0.
    """
    return share_right(pieces(network, SQUARE, slope), YES, zero_is_yes=zero_is_yes)


def exactly_zero(network: Network) -> Fraction:
    """Return the share of the square on which the output is exactly 0."""
    return share_of_zero(pieces(network, SQUARE))


def output(network: Network, x: tuple[float, float], slope: float = 0.0) -> float:
    """Return f at one point, in floating-point numbers: for pictures."""
    values = [float(v) for v in x]
    for number, layer in enumerate(network):
        sums = [
            sum(float(w) * v for w, v in zip(row, values, strict=True)) + float(bias)
            for row, bias in zip(layer.weight, layer.bias, strict=True)
        ]
        last = number == len(network) - 1
        values = sums if last else [v if v > 0 else slope * v for v in sums]
    return values[0]
