"""Several values of one number, said in one go: mean ± standard deviation (n).

values  ->  summarise  ->  Summary  ->  text
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Summary:
    """Mean and spread of n values.

    Attributes
    ----------
    std
        Standard deviation with n - 1 in the denominator; None for a single value.
    """

    mean: float
    std: float | None
    n: int

    def text(self, digits: int = 1) -> str:
        """Return, for example, ``87.4 ± 0.1``; a single value stands alone."""
        spread = "" if self.std is None else f" ± {self.std:.{digits}f}"
        return f"{self.mean:.{digits}f}{spread}"


def summarise(values: Iterable[float]) -> Summary:
    """Return mean, standard deviation (ddof 1) and number of `values`.

    Raises
    ------
    ValueError
        If there are none.
    """
    found = [float(value) for value in values]
    if not found:
        raise ValueError("a summary needs at least one value, got none")
    std = statistics.stdev(found) if len(found) > 1 else None
    return Summary(statistics.fmean(found), std, len(found))
