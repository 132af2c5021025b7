"""A published cell beside the recorded one: how far off it is, and whether methods rank alike.

published mean and deviation, found mean  ->  deviations  ->  "-2.1"
method -> value, twice  ->  same_order  ->  pairs of methods in the same order, of how many
"""

from collections.abc import Mapping
from itertools import combinations, pairwise

from modeconn_lib.experiments.protocols import NOTHING


def deviations(found: float, mean: float, std: float) -> str:
    """Return how far a number is from a published one, in its published standard deviations.

    A dash where the published deviation is 0.0: it was rounded away.
    """
    return f"{(found - mean) / std:+z.1f}" if std else NOTHING


def same_order(paper: Mapping[str, float], found: Mapping[str, float]) -> tuple[int, int]:
    """Return how many pairs of methods are in the paper's order, and how many it does order.

    Pairs that the paper has equal are left out, and methods that only one of the two has. A pair
    that is equal here and not there is not in the same order.
    """
    both = [name for name in paper if name in found]
    ordered = [(a, b) for a, b in combinations(both, 2) if paper[a] != paper[b]]
    agree = [(paper[a] - paper[b]) * (found[a] - found[b]) > 0 for a, b in ordered]
    return sum(agree), len(ordered)


def best_to_worst(values: Mapping[str, float], *, rising: bool) -> str:
    """Return the names of methods, the best first; `rising` if more is better.

    Equal ones have an equals sign between them: ``aligned, PAM aligned = PAM unaligned``.
    """
    names = sorted(values, key=lambda name: -values[name] if rising else values[name])
    said = names[:1]
    for before, name in pairwise(names):
        said.append(f"{' =' if values[before] == values[name] else ','} {name}")
    return "".join(said)
