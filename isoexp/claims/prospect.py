"""The prospect of a claim: whether its plan can answer, and how often it will.

An effect is decided if an interval clears its margin m: one of size δ in a share P(L > m | δ) of
studies. A plan is refused that no values could answer as it expects, whose seeds are too few for
any outcome by chance to be rare, or in which nothing would show that its measure sees effects.
"""

__all__ = ["Prospect", "check_answerable", "prospects"]

from dataclasses import dataclass
from math import ceil, log, log2, sqrt

import numpy as np

from ..errors import UserError
from ..statistics import Student, mean, power_of_difference, seeds_for_difference
from .claim import Claim
from .error import student_of
from .evidence import Evidence
from .terms import Comparison
from .verdict import EVERY, adjusted

RANGES = {"accuracy": (0.0, 1.0)}
"""The values that final numbers can have, by the last part of their name."""

GOOD = 0.9
"""The power that the number of seeds is told for."""


@dataclass(frozen=True)
class Prospect:
    """How often a comparison will be decided.

    Arguments:
        spread: The standard deviation of its contrast by seed; None if it is not known.
        known: Where that is known from.
        floor: The part of the standard error that no number of seeds lowers.
        at_margin: How often it is supported at a true effect of the margin.
        at_twice: The same at twice the margin.
        seeds: The seeds that find twice the margin with a power of 0.9; None if no number does.
    """

    comparison: Comparison
    spread: float | None
    known: str
    floor: float = 0.0
    at_margin: float | None = None
    at_twice: float | None = None
    seeds: int | None = None


def check_answerable(claim: Claim) -> None:
    """Checks that a plan can be answered, whatever its runs will show.

    Raises:
        UserError: If a margin or an expectation is out of reach, no control shows that effects of
            training are seen, or there are fewer seeds than the smallest p takes.
    """

    for comparison in claim.comparisons:
        _check_reach(claim, comparison)
    tested = [c for c in claim.comparisons if c.role == "decides" and c.expects not in EVERY]
    if not tested:
        return
    if not any(each.role == "control" for each in claim.comparisons):
        raise UserError(
            f"claim {claim.name}: comparisons must have a control, an effect that the same measure "
            "must show for the rest to mean anything (role: control), got none"
        )
    # What all seeds show by chance alone, twice 2⁻ⁿ, must be rarer than the level allows.
    least = ceil(1 - log2(1 - adjusted(len(tested))))
    if claim.scale != "smoke" and claim.seeds < least:
        raise UserError(
            f"claim {claim.name}: seeds must be at least {least} for {len(tested)} comparisons "
            f"that decide, got {claim.seeds}: whatever fewer show may be chance"
        )


def _check_reach(claim: Claim, comparison: Comparison) -> None:
    """Checks that some values meet an expectation, and others do not."""

    metric = claim.metrics[comparison.metric]
    bounds = RANGES.get(metric.column.rpartition("/")[2])
    if bounds is None or metric.log or metric.minus:
        return
    weights = comparison.weights.values()
    low, high = (
        sum(w * bounds[(w > 0) == top] for w in weights) - comparison.against
        for top in (False, True)
    )
    m, expects = comparison.margin, comparison.expects
    largest = {"greater": high, "less": -low}.get(expects, max(high, -low))
    told = (
        f"claim {claim.name}: {comparison.contrast} of {metric.column} is from {low:g} to {high:g}"
    )
    if expects in ("greater", "less", "beyond") and largest <= m:
        raise UserError(f"{told}: no value is {expects} by more than the margin, got {m:g}")
    if expects in ("equal", "within") and largest <= m:
        raise UserError(f"{told}: every value is within the margin, got {m:g}")


def prospects(claim: Claim, evidence: Evidence | None) -> list[Prospect]:
    """Returns how often each comparison that is tested will be decided.

    Arguments:
        evidence: Runs of the same arms that tell the spread where the claim does not, if any.
    """

    tested = [each for each in claim.comparisons if each.expects not in EVERY]
    k = sum(each.role == "decides" for each in tested)

    return [_prospect(claim, each, k if each.role == "decides" else 1, evidence) for each in tested]


def _prospect(claim: Claim, asked: Comparison, k: int, evidence: Evidence | None) -> Prospect:
    spread, floor, known = asked.spread or None, 0.0, "the claim"
    student = None if spread or evidence is None else _known(asked, evidence)
    if student is not None:
        floor, known = student.floor, f"{student.n} seeds"
        spread = sqrt(max(student.error**2 - floor**2, 0.0) * student.n)
    if spread is None:
        return Prospect(asked, None, "")
    margin = log(asked.margin) if claim.metrics[asked.metric].log else asked.margin
    if not margin:
        return Prospect(asked, spread, known)

    n, level = claim.seeds, adjusted(k)
    once, twice = (
        power_of_difference(n, spread, shift, level, floor) if n > 1 else 0.0
        for shift in (0.0, margin)
    )
    try:
        seeds = seeds_for_difference(spread, margin, level, GOOD, floor).n
    except ValueError:  # what is left of the test items
        seeds = None

    return Prospect(asked, spread, known, floor, once, twice, seeds)


def _known(asked: Comparison, evidence: Evidence) -> Student | None:
    """Estimates a contrast as far as runs of another plan tell it."""

    same = evidence.claim
    if asked.metric not in same.metrics or not set(asked.weights) <= set(same.arms):
        return None
    values, scale, missing = evidence.contrast(asked)
    own = None if missing else student_of(evidence, asked, values, scale)
    values = values[np.isfinite(values)]

    return own or (mean(values, scale) if len(values) > 2 else None)
