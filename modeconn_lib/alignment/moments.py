"""How every unit of one network varies with every unit of another, in one pass.

activations of A, activations of B  ->  CrossMoments  ->  correlation | squared distance | ...

Nothing here knows about networks or layers; `activations` feeds it one site at a time.
"""

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

ROWS = 1 << 15  # samples per float32 product: more rows would lose digits, fewer lose speed


@dataclass(frozen=True, slots=True)
class CrossMoments:
    r"""First and second moments of paired samples :math:`(x_s, y_s)`.

    Products are taken in float32 about a shift near the mean (that of the first samples), some
    thousand samples at a time, and summed in float64: nearly the digits of float64 at the price
    of float32. Up to those digits the result does not depend on how samples come in batches. A
    unit that never varies is exactly 0 after the shift, whatever its level.

    Attributes
    ----------
    count
        Number of samples seen. A sample is one (example, position) pair: convolutional maps are
        flattened to ``(batch * height * width, units)`` by the caller.
    shift_x, shift_y
        What is subtracted from each unit before anything is summed.
    sum_x, sum_y
        Sum of each shifted unit.
    square_x, square_y
        Sum of squares of each shifted unit.
    product
        ``product[i, j]`` is the sum of products of shifted unit i of x and unit j of y.
    """

    count: int
    shift_x: Float[Tensor, " units"]
    shift_y: Float[Tensor, " units"]
    sum_x: Float[Tensor, " units"]
    sum_y: Float[Tensor, " units"]
    square_x: Float[Tensor, " units"]
    square_y: Float[Tensor, " units"]
    product: Float[Tensor, "units units"]

    @staticmethod
    def of(x: Float[Tensor, "samples units"], y: Float[Tensor, "samples units"]) -> "CrossMoments":
        """Return the moments of one batch, which determines the shift.

        Raises
        ------
        ValueError
            If the batch is empty.
        """
        if len(x) == 0:
            raise ValueError("moments need at least 1 sample, got 0")
        zeros = torch.zeros(x.shape[1], dtype=torch.float64, device=x.device)
        product = torch.zeros(x.shape[1], x.shape[1], dtype=torch.float64, device=x.device)
        empty = CrossMoments(0, _shift(x), _shift(y), zeros, zeros, zeros, zeros, product)
        return empty.add(x, y)

    def add(
        self, x: Float[Tensor, "samples units"], y: Float[Tensor, "samples units"]
    ) -> "CrossMoments":
        """Return the moments with a batch of paired samples added."""
        sums = [self.sum_x, self.sum_y, self.square_x, self.square_y, self.product]
        for part_x, part_y in zip(x.split(ROWS), y.split(ROWS), strict=True):
            u, v = part_x - self.shift_x, part_y - self.shift_y  # at least float32: the shifts are
            sum_x, sum_y, product = u.sum(0), v.sum(0), u.T @ v
            terms = (sum_x, sum_y, u.square_().sum(0), v.square_().sum(0), product)  # u, v: ours
            sums = [old + term.double() for old, term in zip(sums, terms, strict=True)]
        return CrossMoments(self.count + len(x), self.shift_x, self.shift_y, *sums)

    def variances(self) -> tuple[Float[Tensor, " units"], Float[Tensor, " units"]]:
        """Return the variance of each unit of x and of y, at least 0."""
        n = self.count
        return (
            (self.square_x / n - (self.sum_x / n).square()).clamp_min(0),
            (self.square_y / n - (self.sum_y / n).square()).clamp_min(0),
        )

    def correlation(self) -> Float[Tensor, "units units"]:
        r"""Return the Pearson correlation of unit i of x with unit j of y (Tatro et al., eq. 3).

        A unit that never varies (a dead ReLU) has no correlation; it is given 0 with every
        other unit, so that the assignment is free to place it anywhere.

        Raises
        ------
        ValueError
            If fewer than two samples were added.
        """
        if self.count < 2:
            raise ValueError(f"a correlation needs at least 2 samples, got {self.count}")
        n = self.count
        covariance = self.product / n - torch.outer(self.sum_x / n, self.sum_y / n)
        var_x, var_y = self.variances()
        scale = torch.outer(var_x.sqrt(), var_y.sqrt())
        return torch.where(scale == 0, 0.0, covariance / scale)  # NaN stays: assignment refuses it

    def squared_distance(self) -> Float[Tensor, "units units"]:
        r"""Return the mean of :math:`(x_i - y_j)^2` over the samples.

        Raises
        ------
        ValueError
            If no sample was added.
        """
        if self.count < 1:
            raise ValueError("a distance needs at least 1 sample, got 0")
        n = self.count
        mean_x = self.sum_x / n + self.shift_x.double()
        mean_y = self.sum_y / n + self.shift_y.double()
        covariance = self.product / n - torch.outer(self.sum_x / n, self.sum_y / n)
        var_x, var_y = self.variances()
        spread = var_x[:, None] + var_y[None, :] - 2 * covariance
        return spread + (mean_x[:, None] - mean_y[None, :]).square()

    def second_moment(self) -> Float[Tensor, "units units"]:
        r"""Return :math:`\mathbb{E}[x_i y_j]`, not centred.

        Git Re-Basin's :math:`Z^{(A)} (Z^{(B)})^\top` (equation 1), per sample.

        Raises
        ------
        ValueError
            If no sample was added.
        """
        if self.count < 1:
            raise ValueError("a second moment needs at least 1 sample, got 0")
        n, shift_x, shift_y = self.count, self.shift_x.double(), self.shift_y.double()
        # (u + s)(v + r) = uv + ur + sv + sr, where u and v are the shifted units.
        mean_u, mean_y = self.sum_x / n, self.sum_y / n + shift_y
        return self.product / n + torch.outer(mean_u, shift_y) + torch.outer(shift_x, mean_y)

    def cosine(self) -> Float[Tensor, "units units"]:
        r"""Return the cosine of unit i of x and unit j of y as vectors of samples, not centred.

        .. math:: \frac{\mathbb{E}[x_i y_j]}{\sqrt{\mathbb{E}[x_i^2]\, \mathbb{E}[y_j^2]}}

        A unit that is always 0 has no direction; as in `correlation`, it is given 0 with all.

        Raises
        ------
        ValueError
            If no sample was added.
        """
        scale = torch.outer(
            _mean_square(self.square_x, self.sum_x, self.shift_x, self.count).sqrt(),
            _mean_square(self.square_y, self.sum_y, self.shift_y, self.count).sqrt(),
        )
        return torch.where(scale == 0, 0.0, self.second_moment() / scale)


def _mean_square(
    square: Float[Tensor, " units"],
    total: Float[Tensor, " units"],
    shift: Float[Tensor, " units"],
    count: int,
) -> Float[Tensor, " units"]:
    """Return the mean square of each unit, from the sums about its shift."""
    shift = shift.double()
    return (square / count + 2 * shift * total / count + shift.square()).clamp_min(0)


def _shift(x: Float[Tensor, "samples units"]) -> Float[Tensor, " units"]:
    """Return the mean of the first samples, in float32 if their own floats are shorter.

    Not a sample itself: a unit that is active there and hardly anywhere else would be far from 0
    everywhere else, and its variance lost in the rounding of that. Taken about one, so that it is
    exactly the level of a unit that has but one.
    """
    few = x[:ROWS].float() if x.itemsize < 4 else x[:ROWS]
    return few[0] + (few - few[0]).mean(0)
