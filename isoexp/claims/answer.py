"""Answers: what the values of each comparison say to what was expected of them.

    greater, less   the mean is on that side of 0 by at least the margin
    equal           the mean is within ±margin of 0
    within          every value is within ±margin
    beyond          every value is outside ±margin

Of the first three, in this order: equivalence within ±margin means no effect larger than the margin
(which is what equal expects); p below α after Holm and a mean of at least the margin support or
contradict, by their sign; everything else is inconclusive. The last two are of mathematics and have
no p.
"""

__all__ = ["NULL", "Answer", "Outcome", "decide"]

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float

from ..statistics import (
    Estimate,
    Student,
    finite,
    hedges,
    holm,
    mean,
    seeds_for_difference,
    seeds_for_equivalence,
    sign_flips,
)
from .terms import EXPECTATIONS, expectation

Outcome = Literal["supported", "contradicted", "no effect larger than the margin", "inconclusive"]

NULL: Outcome = "no effect larger than the margin"


@dataclass(frozen=True)
class Answer:
    """The answer of one comparison of n values.

    Arguments:
        margin: The smallest effect that counts.
        estimate: Their mean; of within the largest in size, of beyond the smallest; NaN of none.
        low: The lower end of the t interval; of within and beyond, of the values.
        level: The level of the interval, which is not adjusted for other comparisons.
        words: All of it in a line.
        p: The p-value that the mean is 0, by t; p_holm is adjusted for all comparisons.
        p_permutation: The same by sign flips, not adjusted, with the least that they can give.
        p_equivalence: The p-value that the mean is not within ±margin.
        effect: The mean in standard deviations, Hedges' d_z.
        seeds_needed: If inconclusive, the seeds that tell an effect of the margin from none with
            power 0.8, after Holm. None if there are as many: the effect is too near the margin.
    """

    expects: str
    margin: float
    n: int
    estimate: float
    low: float
    high: float
    level: float
    verdict: Outcome
    words: str
    p: float | None = None
    p_holm: float | None = None
    p_permutation: float | None = None
    p_permutation_smallest: float | None = None
    p_equivalence: float | None = None
    effect: Estimate | None = None
    seeds_needed: int | None = None


def decide(
    values: Sequence[np.ndarray],
    expects: Sequence[str],
    margins: Sequence[float],
    level: float = 0.95,
) -> list[Answer]:
    """Answers the questions of a claim, all of them at once since Holm counts them.

    A comparison that has less than two values is one of them, with p = 1: it was asked.

    Arguments:
        values: The contrast of each comparison, one value a seed.
        expects: greater | less | equal | within | beyond, of each.
        margins: The smallest effect that counts, of each.
        level: The level of the intervals, 1 − α.

    Raises:
        ValueError: If a value is not finite, or an expectation or a margin cannot be.
    """

    if not len(values) == len(expects) == len(margins):
        raise ValueError(
            "each comparison must have values, an expectation and a margin, "
            f"got {len(values)}, {len(expects)} and {len(margins)}"
        )
    for place, (expected, margin) in enumerate(zip(expects, margins, strict=True), start=1):
        _check(expected, margin, place)
    samples = [finite(each, f"values of comparison {k}") for k, each in enumerate(values, start=1)]

    tested = [k for k, expected in enumerate(expects) if expected not in ("within", "beyond")]
    means = {k: mean(samples[k]) for k in tested if len(samples[k]) > 1}
    adjusted = holm([means[k].test().p if k in means else 1.0 for k in tested])
    p_holm = dict(zip(tested, adjusted, strict=True))

    return [
        _of_mean(means[k], samples[k], expects[k], margins[k], level, p_holm[k], len(tested))
        if k in means
        else _of_every(samples[k], expects[k], margins[k], level)
        if k not in tested and len(samples[k])
        else _of_too_few(samples[k], expects[k], margins[k], level)
        for k in range(len(samples))
    ]


def _check(expected: str, margin: float, place: int) -> None:
    if expected not in EXPECTATIONS:
        told = ", ".join(EXPECTATIONS)
        raise ValueError(f"comparison {place} must expect one of {told}, got {expected}")
    if not 0 <= margin < inf:
        raise ValueError(f"the margin of comparison {place} must be 0 or above, got {margin:g}")
    if expected == "equal" and margin == 0:
        raise ValueError(
            f"the margin of comparison {place} must be above 0, got 0: no number of seeds shows "
            "that two are exactly equal"
        )


def _of_too_few(
    values: Float[np.ndarray, " n"], expects: str, margin: float, level: float
) -> Answer:
    n = len(values)
    low, high = (-inf, inf) if n else (nan, nan)
    needed = 1 if expects in ("within", "beyond") else 2
    words = f"n = {n}, and it takes {needed} to tell whether it is {expectation(expects, margin)}"
    estimate = float(values[0]) if n else nan

    return Answer(expects, margin, n, estimate, low, high, level, "inconclusive", words)


def _of_every(values: Float[np.ndarray, " n"], expects: str, margin: float, level: float) -> Answer:
    n, sizes = len(values), np.abs(values)
    worst = values[sizes.argmax() if expects == "within" else sizes.argmin()]
    met = sizes <= margin if expects == "within" else sizes > margin
    words = f"{met.sum()} of {n}, expected {expectation(expects, margin)}; the worst is {worst:.3g}"

    return Answer(
        *(expects, margin, n, float(worst), float(values.min()), float(values.max()), level),
        verdict="supported" if met.all() else "contradicted",
        words=words,
    )


def _of_mean(
    student: Student,
    values: Float[np.ndarray, " n"],
    expects: str,
    margin: float,
    level: float,
    p_holm: float,
    count: int,
) -> Answer:
    interval, p, flips = student.interval(level), student.test().p, sign_flips(values)
    m, n = student.estimate, student.n
    p_equivalence = student.equivalence(margin).p if margin else None

    if p_equivalence is not None and p_equivalence < 1 - level:
        verdict: Outcome = "supported" if expects == "equal" else NULL
    elif p_holm < 1 - level and abs(m) >= margin:
        verdict = "supported" if expects == ("greater" if m > 0 else "less") else "contradicted"
    else:
        verdict = "inconclusive"

    needed = _needed(student, margin, level, count) if verdict == "inconclusive" else None
    words = (
        f"mean {m:.3g}, {100 * level:g} % interval {interval.low:.3g} to {interval.high:.3g}, "
        f"n = {n}, expected {expectation(expects, margin)}; p = {p:.2g} by t, {p_holm:.2g} by Holm "
        f"over {count}, {flips.p:.2g} by sign flips (at best {flips.smallest:.2g})"
        + (f", {p_equivalence:.2g} of equivalence" if p_equivalence is not None else "")
        + (f"; {needed} seeds would tell" if needed else "")
    )

    return Answer(
        *(expects, margin, n, m, interval.low, interval.high, level),
        verdict=verdict,
        words=words,
        p=p,
        p_holm=p_holm,
        p_permutation=flips.p,
        p_permutation_smallest=flips.smallest,
        p_equivalence=p_equivalence,
        effect=hedges(values, level) if n > 2 and student.error else None,
        seeds_needed=needed,
    )


def _needed(student: Student, margin: float, level: float, count: int) -> int | None:
    """Returns how many seeds tell an effect of the margin from none; None if there are as many."""

    if not margin:  # any effect counts, and so small ones would take any number
        return None
    spread = student.error * sqrt(student.n)
    n = max(
        seeds_for_difference(spread, margin, 1 - (1 - level) / count).n,
        seeds_for_equivalence(spread, margin, level).n,
    )

    return n if n > student.n else None
