"""Verdicts: what the values of each comparison say to its expectation, and all of them together.

    greater, less   the mean is on that side of 0 by at least the margin
    equal           the mean is within ±margin of 0
    within          every value is within ±margin
    beyond          every value is outside ±margin

Of the first three, in this order: equivalence within ±margin means no effect larger than the margin
(which is what equal expects); p below α after Holm and a mean of at least the margin support or
contradict, by their sign; everything else is inconclusive. The last two are of mathematics and have
no p. The verdict on a claim is

    a control is not supported                inconclusive
    else all that decide are supported        supported
    else one of them is contradicted          contradicted
    else all are supported or without effect  no effect larger than the margin
    else                                      inconclusive
"""

__all__ = ["LEVEL", "NULL", "Answer", "Outcome", "Verdict", "conclude", "decide"]

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf, nan, sqrt
from typing import Any, Literal

import numpy as np
from jaxtyping import Float

from ..statistics import Estimate, Student, finite, hedges, holm, mean, sign_flips
from ..statistics.power import seeds_for_difference, seeds_for_equivalence
from .terms import EXPECTATIONS, ROLES, expectation

Outcome = Literal["supported", "contradicted", "no effect larger than the margin", "inconclusive"]

NULL: Outcome = "no effect larger than the margin"

LEVEL = 0.95
"""The level of all intervals, 1 − α."""

Values = Float[np.ndarray, " n"]


@dataclass(frozen=True)
class Answer:
    """The answer of one comparison of n values.

    Arguments:
        estimate: Their mean; of within the largest in size, of beyond the smallest; NaN of none.
        low: The lower end of the 95 % t interval, which is not adjusted for other comparisons; of
            within and beyond, of the values.
        words: All of it in a line.
        p: The p-value that the mean is 0, by t; p_holm is adjusted for all comparisons.
        p_permutation: The same by sign flips, not adjusted, with the least that they can give.
        p_equivalence: The p-value that the mean is not within ±margin.
        effect: The mean in standard deviations, Hedges' d_z.
        seeds_needed: If inconclusive, the seeds that tell an effect of the margin from none with
            power 0.8, after Holm. None if there are as many: the effect is too near the margin.
    """

    margin: float
    n: int
    estimate: float
    low: float
    high: float
    verdict: Outcome
    words: str
    p: float | None = None
    p_holm: float | None = None
    p_permutation: float | None = None
    p_permutation_smallest: float | None = None
    p_equivalence: float | None = None
    effect: Estimate | None = None
    seeds_needed: int | None = None


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, and the reason in a line."""

    verdict: Outcome
    words: str


def decide(asked: Sequence[tuple[Values, str, float]]) -> list[Answer]:
    """Answers the comparisons of a claim, all of them at once since Holm counts them.

    A comparison that has less than two values is one of them, with p = 1: it was asked.

    Arguments:
        asked: The contrast of each, one value a seed; greater | less | equal | within | beyond; and
            the smallest effect that counts.

    Raises:
        ValueError: If a value is not finite, or an expectation or a margin cannot be.
    """

    samples = []
    for place, (values, expects, margin) in enumerate(asked, start=1):
        if expects not in EXPECTATIONS:
            told = ", ".join(EXPECTATIONS)
            raise ValueError(f"comparison {place} must expect one of {told}, got {expects}")
        if not 0 <= margin < inf:
            raise ValueError(f"the margin of comparison {place} must be 0 or above, got {margin:g}")
        if expects == "equal" and margin == 0:
            raise ValueError(
                f"the margin of comparison {place} must be above 0, got 0: no number of seeds "
                "shows that two are exactly equal"
            )
        samples.append(finite(values, f"values of comparison {place}"))

    tested = [k for k, (_, expects, _) in enumerate(asked) if expects not in ("within", "beyond")]
    means = {k: mean(samples[k]) for k in tested if len(samples[k]) > 1}
    adjusted = holm([means[k].test().p if k in means else 1.0 for k in tested])
    p_holm = dict(zip(tested, adjusted, strict=True))

    answers = []
    for k, (values, (_, expects, margin)) in enumerate(zip(samples, asked, strict=True)):
        if k in means:
            found = _of_mean(means[k], values, expects, margin, p_holm[k], len(tested))
        elif len(values) and k not in p_holm:
            found = _of_every(values, expects, margin)
        else:
            found = _of_too_few(values, expects, margin)
        answers.append(Answer(margin, len(values), **found))

    return answers


def _of_too_few(values: Values, expects: str, margin: float) -> dict[str, Any]:
    n = len(values)
    needed = 1 if expects in ("within", "beyond") else 2
    words = f"n = {n}, and it takes {needed} to tell whether it is {expectation(expects, margin)}"
    triple = (float(values[0]), -inf, inf) if n else (nan, nan, nan)
    found = dict(zip(("estimate", "low", "high"), triple, strict=True))

    return {**found, "verdict": "inconclusive", "words": words}


def _of_every(values: Values, expects: str, margin: float) -> dict[str, Any]:
    sizes = np.abs(values)
    worst = values[sizes.argmax() if expects == "within" else sizes.argmin()]
    met = sizes <= margin if expects == "within" else sizes > margin
    told = f"{met.sum()} of {len(values)}, expected {expectation(expects, margin)}"

    return {
        "estimate": float(worst),
        "low": float(values.min()),
        "high": float(values.max()),
        "verdict": "supported" if met.all() else "contradicted",
        "words": f"{told}; the worst is {worst:.3g}",
    }


def _of_mean(
    student: Student, values: Values, expects: str, margin: float, p_holm: float, count: int
) -> dict[str, Any]:
    interval, p, flips = student.interval(LEVEL), student.test().p, sign_flips(values)
    m, n = student.estimate, student.n
    p_equivalence = student.equivalence(margin).p if margin else None
    needed = None

    if p_equivalence is not None and p_equivalence < 1 - LEVEL:
        verdict: Outcome = "supported" if expects == "equal" else NULL
    elif p_holm < 1 - LEVEL and abs(m) >= margin:
        verdict = "supported" if expects == ("greater" if m > 0 else "less") else "contradicted"
    else:
        verdict = "inconclusive"
        if margin:  # without one any effect counts, and small ones would take any number
            spread, holms = student.error * sqrt(n), 1 - (1 - LEVEL) / count
            least = (
                seeds_for_difference(spread, margin, holms).n,
                seeds_for_equivalence(spread, margin, LEVEL).n,
            )
            needed = max(least) if max(least) > n else None

    words = (
        f"mean {m:.3g}, {100 * LEVEL:g} % interval {interval.low:.3g} to {interval.high:.3g}, "
        f"n = {n}, expected {expectation(expects, margin)}; p = {p:.2g} by t, {p_holm:.2g} by Holm "
        f"over {count}, {flips.p:.2g} by sign flips (at best {flips.smallest:.2g})"
        + (f", {p_equivalence:.2g} of equivalence" if p_equivalence is not None else "")
        + (f"; {needed} seeds would tell" if needed else "")
    )

    return {
        "estimate": m,
        "low": interval.low,
        "high": interval.high,
        "verdict": verdict,
        "words": words,
        "p": p,
        "p_holm": p_holm,
        "p_permutation": flips.p,
        "p_permutation_smallest": flips.smallest,
        "p_equivalence": p_equivalence,
        "effect": hedges(values, LEVEL) if n > 2 and student.error else None,
        "seeds_needed": needed,
    }


def conclude(answers: Sequence[tuple[Answer, str]]) -> Verdict:
    """Returns the verdict on a claim, of answers each with its role: decides, control or beside.

    Raises:
        ValueError: If no comparison decides, or a role cannot be.
    """

    for _, role in answers:
        if role not in ROLES:
            raise ValueError(f"a role must be one of {', '.join(ROLES)}, got {role}")
    placed = list(enumerate(answers, start=1))
    deciding = {place: answer for place, (answer, role) in placed if role == "decides"}
    if not deciding:
        raise ValueError("a claim must have a comparison that decides, got none")

    for place, (answer, role) in placed:
        if role == "control" and answer.verdict != "supported":
            told = f"the control, comparison {place}, did not show what it must"
            return Verdict("inconclusive", f"{told}, {answer.verdict}: {answer.words}")

    def share(outcome: Outcome) -> str:
        said = [
            f"comparison {place}"
            + (f", no effect larger than {answer.margin:g}" if outcome == NULL else "")
            + f": {answer.words}"
            for place, answer in deciding.items()
            if answer.verdict == outcome
        ]
        return f"{len(said)} of {len(deciding)} that decide are so; " + "; ".join(said)

    found: set[Outcome] = {answer.verdict for answer in deciding.values()}
    if found == {"supported", NULL}:
        told = f"{share('supported')}. {share(NULL)}"
        return Verdict("inconclusive", f"the comparisons disagree: {told}")
    alone: set[Outcome] = found if len(found) == 1 else {"inconclusive"}
    outcome: Outcome = "contradicted" if "contradicted" in found else alone.pop()

    return Verdict(outcome, share(outcome))
