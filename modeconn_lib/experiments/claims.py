"""What a page says of its records, and whether it is so.

Study  ->  claims  ->  check_claims, verdict
"""

from collections.abc import Sequence
from dataclasses import dataclass

from modeconn_lib.results.study import Study


@dataclass(frozen=True, slots=True)
class Claim:
    """One sentence about a study, and whether the records bear it out.

    Attributes
    ----------
    text
        The claim.
    holds
        Whether it is so.
    found
        The numbers that decide it.
    insisted
        Whether a page may not be built without it. A sentence of the paper that the records do
        not bear out is shown and counted like any other, and is not insisted on.
    """

    text: str
    holds: bool
    found: str
    insisted: bool = True


def check_claims(study: Study, claims: Sequence[Claim]) -> None:
    """Print every claim with the numbers found; where the profile says so, insist on them.

    A profile insists on its own data set and architecture; for others the claims are questions.

    Raises
    ------
    AssertionError
        Naming the claims that a profile insists on and that do not hold.
    """
    for claim in claims:
        print(f"{'holds' if claim.holds else 'FAILS'}: {claim.text} ({claim.found})")
    broken = [claim.text for claim in claims if claim.insisted and not claim.holds]
    if broken and study.config["insists"]:
        raise AssertionError("not borne out by the records: " + "; ".join(broken))


def verdict(claims: Sequence[Claim]) -> str:
    """Return how many of the claims hold, in words."""
    held = sum(claim.holds for claim in claims)
    if held == len(claims):
        return f"reproduced: {held} of {len(claims)} claims hold"
    return f"{held} of {len(claims)} claims hold"
