r"""Networks written down to see how good the bounds of Tatro et al. 2020 are (appendix C.2).

one_hidden, several_hidden  ->  Example: bounds met exactly
same_sign, one_unit  ->  Example: all conditions of C.2 met, the bounds are not
shared_order  ->  two Examples: one order for two layers, which raises the bound
drawn  ->  two Examples: random networks as they are and aligned

**What C.2 leaves out.** The Euclidean norm of a sum is the sum of the norms only if all terms are
*parallel*, over units and images together; terms of one sign, C.2's conditions 4 and 5, are enough
for a single number only. And the two ends of a hidden layer pull in opposite directions: with S
what the layer before contributes and D the difference of the ends,

.. math:: f_i(t) - f_i(0) = S + t D, \qquad f_i(t) - f_i(1) = S - (1 - t) D.

So equations 21 and 22 are both met only where S or D vanishes. S does in the first layer. From the
second on D must, or a bound of either end must not be needed (weights of 0 behind it): two networks
of three layers or more that meet their bound agree in every pre-activation but those of the first.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from modeconn_lib.alignment.assignment import best_permutation
from modeconn_lib.evaluation.chains import Chain, Layer, preactivations


@dataclass(frozen=True, slots=True)
class Example:
    """Two networks, inputs, and the outputs that would be right."""

    a: Chain
    b: Chain
    x: Float[Tensor, "samples inputs"]
    y: Float[Tensor, "samples outputs"]


def one_hidden(units: int, samples: int, generator: torch.Generator) -> Example:
    r"""Return two networks of one hidden layer whose bound is the loss at every t.

    .. math::

        f_1(0) = W x + b, \quad f_1(1) = s W x + b', \qquad
        Y_A = a Q f_1(0) + o, \quad Y_B = -c Q f_1(1) + o'

    with :math:`Q \ge 0` an isometry and biases that keep every pre-activation positive, those of B
    above those of A: conditions 1 to 5. With :math:`D = f_1(1) - f_1(0)` then

    .. math:: l(t) - (1 - t) Y_A - t Y_B = t (1 - t) (a + c) Q D.

    All is parallel if the ends' errors are multiples of :math:`Q D`, too; the biases
    :math:`o, o'` see to that.
    """
    a, c, s, error = 2.0, 0.5, -3.0, 0.1
    x, weight, low, high = _first_layer(units, samples, s, generator)
    q = _isometry(units + 2, units, generator)
    # Y_B - Y_A = ratio Q D: in front of W x by the choice of the ratio, elsewhere by that of o'.
    ratio = -(c * s + a) / (s - 1)
    shift = q @ (c * high + a * low + ratio * (high - low))
    start = _layers((weight, low), (a * q, torch.zeros_like(shift)))
    end = _layers((s * weight, high), (-c * q, shift))
    difference = x @ ((s - 1) * weight).T + (high - low)
    right = (x @ weight.T + low) @ (a * q).T - error * difference @ q.T
    return Example(start, end, x, right)


def several_hidden(units: int, samples: int, hidden: int, generator: torch.Generator) -> Example:
    """Return two networks of `hidden` layers, two or more, whose bound is the loss at every t.

    As in `one_hidden` up to the second layer, where a s = -c W makes the pre-activations of both
    ends the same; behind it the networks are equal, and carry on what there is in between.

    Raises
    ------
    ValueError
        If there are fewer than two hidden layers.
    """
    if hidden < 2:
        raise ValueError(f"this example has 2 hidden layers or more, got {hidden}")
    a, c, error = 2.0, 0.5, 0.1
    s = -a / c
    x, weight, low, high = _first_layer(units, samples, s, generator)
    q = _isometry(units, units, generator)
    level = torch.rand(units, generator=generator, dtype=torch.float64)
    start = [(weight, low), (a * q, level)]
    end = [(s * weight, high), (-c * q, level + q @ (a * low + c * high))]
    carried = (x @ ((s - 1) * weight).T + (high - low)) @ q.T
    for _ in range(hidden - 1):
        scale = 0.5 + torch.rand((), generator=generator, dtype=torch.float64)
        turn = scale * _isometry(units, units, generator)
        both = (turn, torch.rand(units, generator=generator, dtype=torch.float64))
        start.append(both)
        end.append(both)
        carried = carried @ turn.T
    one = _layers(*start)
    return Example(one, _layers(*end), x, _outputs(one, x) - error * carried)


def same_sign(units: int, samples: int, generator: torch.Generator) -> Example:
    """Return networks of one hidden layer that meet C.2's conditions as printed, nothing more.

    Weights of either sign are multiples of permutation matrices, hence isometries; activations are
    positive, those of B above those of A, and both outputs are above what would be right.
    """
    x = torch.randn(samples, units, generator=generator, dtype=torch.float64)
    first, other = (
        torch.randn(units, units, generator=generator, dtype=torch.float64) for _ in range(2)
    )
    reach = max(float((x @ w.T).abs().max()) for w in (first, other))
    first, other = first / reach, other / reach
    low = torch.full((units,), 1.0, dtype=torch.float64)
    # Differences that vary from unit to unit: another order of them is another direction.
    high = 3 + 20 * torch.rand(units, generator=generator, dtype=torch.float64).pow(4)
    zero = torch.zeros(units, dtype=torch.float64)
    start = _layers((first, low), (2.0 * _isometry(units, units, generator), zero))
    end = _layers((other, high), (-0.5 * _isometry(units, units, generator), zero))
    of_a, of_b = _outputs(start, x), _outputs(end, x)
    error = torch.rand(samples, units, generator=generator, dtype=torch.float64)
    return Example(start, end, x, torch.minimum(of_a, of_b) - error)


def one_unit() -> Example:
    """Return networks of two hidden layers of one unit that meet C.2's conditions as printed.

    Numbers of one sign are parallel. What is in the way is the second hidden layer, whose ends
    differ.
    """

    def layers(*numbers: tuple[float, float]) -> Chain:
        return _layers(
            *(
                (torch.tensor([[w]], dtype=torch.float64), torch.tensor([b], dtype=torch.float64))
                for w, b in numbers
            )
        )

    one = torch.ones(1, 1, dtype=torch.float64)
    # Pre-activations of A: 1, 2, output 2; of B: 2, 4, output 2.
    a = layers((1.0, 0.0), (1.0, 1.0), (1.0, 0.0))
    b = layers((2.0, 0.0), (-1.0, 6.0), (-1.0, 6.0))
    return Example(a, b, one, 1.5 * one)


def shared_order(generator: torch.Generator, samples: int = 64) -> tuple[Example, Example]:
    """Return two networks as they are, and with B's two layers in the order best for both together.

    B is A with the units of the first layer swapped. If both layers of two units must have the same
    order, as if they were one residual stream, swapping both brings the first layers together, and
    takes the second ones apart. The sum of the squared distances falls. But the second layer's
    weights are small: of the first layer's distance little is carried on.
    """
    x = torch.randn(samples, 2, generator=generator, dtype=torch.float64)
    one, zero = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    swap = one.flip(0)
    second = torch.tensor([0.0, 0.5], dtype=torch.float64)
    last = (torch.ones(1, 2, dtype=torch.float64), zero[:1])
    a = _layers((one, zero), (0.1 * one, second), last)
    b = _layers((swap, zero), (0.1 * swap, second), last)
    swapped = _layers((one, zero), (0.1 * one.flip(0), second.flip(0)), last)
    y = _outputs(a, x)
    return Example(a, b, x, y), Example(a, swapped, x, y)


def drawn(units: int, samples: int, generator: torch.Generator) -> tuple[Example, Example]:
    """Return two random networks of two hidden layers, B as it is and aligned.

    Aligned by the distances of pre-activations, so that every bound is lower than before. The true
    distances need not be: what a layer is handed may have cancelled what its own ends differ by.
    """
    x = torch.randn(samples, units, generator=generator, dtype=torch.float64)
    sizes = (units, units, units, 1)
    a, b = (
        _layers(
            *(
                (
                    torch.randn(n, m, generator=generator, dtype=torch.float64),
                    torch.randn(n, generator=generator, dtype=torch.float64),
                )
                for m, n in pairwise(sizes)
            )
        )
        for _ in range(2)
    )
    inputs, aligned = torch.arange(units), []
    for f, g, layer in zip(preactivations(a, x), preactivations(b, x), b, strict=True):
        apart = (f[:, :, None] - g[:, None, :]).square().sum(0)
        p = best_permutation(-apart)
        aligned.append(Layer(layer.weight[p][:, inputs], layer.bias[p]))
        inputs = p
    y = _outputs(a, x)
    return Example(a, b, x, y), Example(a, tuple(aligned), x, y)


def _first_layer(
    units: int, samples: int, s: float, generator: torch.Generator
) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Return inputs, W, b and b' with W x + b positive, and s W x + b' above all of it."""
    x = torch.randn(samples, units + 1, generator=generator, dtype=torch.float64)
    weight = torch.randn(units, units + 1, generator=generator, dtype=torch.float64)
    weight /= (x @ weight.T).abs().max()  # W x lies between -1 and 1
    drawn = torch.rand(2, units, generator=generator, dtype=torch.float64)
    low = 1 + drawn[0]
    high = 3 + abs(s) + drawn[1]
    return x, weight, low, high


def _isometry(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """Return a matrix without negative entries that keeps lengths: ones in places of their own."""
    places = torch.randperm(rows, generator=generator)[:columns]
    return torch.eye(rows, dtype=torch.float64)[:, places]


def _layers(*parts: tuple[Tensor, Tensor]) -> Chain:
    return tuple(Layer(weight, bias) for weight, bias in parts)


def _outputs(network: Chain, x: Tensor) -> Tensor:
    return preactivations(network, x)[-1]
