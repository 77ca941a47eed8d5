"""Verdicts: what the interval of each contrast says to its expectation, and all of them together.

Of a contrast with a margin m > 0 and an interval [L, U], which covers the true value as often as
its level says, so that whatever is read off it is true as often:

    greater    supported L > m              contradicted U < −m             null −m ≤ L, U ≤ m
    less       supported U < −m             contradicted L > m              null −m ≤ L, U ≤ m
    equal      supported −m ≤ L, U ≤ m      contradicted L > m or U < −m
    within     every value is within ±m
    beyond     every value is outside ±m

and all else is inconclusive. Without a margin, m = 0, nothing is null. Of k comparisons that decide
by an interval each has the level 1 − α/k (Bonferroni), so that all of them are true at once;
controls, and what stands beside, have 1 − α. A claim is

    all    contradicted if one is; else null if one is; else supported if all are
    any    supported if one is; else contradicted if all are; else null if all are one of the two

else inconclusive, and so it is if a control is not supported. What takes all of k errs only where
each of them does: supported of `all`, contradicted and null of `any` are decided by intervals of
level 1 − α (an intersection–union test), and so are then their parts.

Source: Berger, Multiparameter Hypothesis Testing and Acceptance Sampling (1982); Schuirmann (1987).
"""

__all__ = [
    "AGREED", "EVERY", "LEVEL", "NULL", "Answer", "Question", "Outcome", "Verdict", "adjusted",
    "decide",
]  # fmt: skip

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf, isfinite, nan, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float

from ..statistics import Estimate, Student, finite, hedges, identical, mean, sign_flips
from ..statistics.power import seeds_for_difference, seeds_for_equivalence
from .terms import DECIDES, EXPECTATIONS, ROLES, expectation

Outcome = Literal["supported", "contradicted", "no effect larger than the margin", "inconclusive"]

NULL: Outcome = "no effect larger than the margin"

LEVEL = 0.95
"""The level 1 − α of a claim's verdict, and of an interval by itself."""

TOLD: tuple[Outcome, ...] = ("contradicted", "supported", NULL)
"""Outcomes that the reason of a verdict tells of, whatever it is."""

AGREED: dict[str, tuple[set[Outcome], ...]] = {
    "all": ({"supported"},),
    "any": ({"contradicted"}, {NULL}, {NULL, "contradicted"}),
}
"""The outcomes of comparisons that decide, of which none is wrong unless all are."""

LEAST = 1e-9
"""Probabilities below are not told apart: no law of errors is known so far out."""

EVERY = ("within", "beyond")
"""Expectations of every value: mathematics, with no interval."""


@dataclass(frozen=True)
class Question:
    """A comparison, and the values that answer it.

    Arguments:
        values: Its contrast, one value a seed.
        expects: greater | less | equal | within | beyond.
        margin: The smallest effect that counts.
        role: decides | control | beside.
        scale: The size of the numbers that values are differences of, if they are.
        student: Their mean, if its error is more than that of values which have only seeds.
        missing: The reason why values are missing, which leaves it inconclusive.
        unsettled: The reason why it is inconclusive whatever its values are.
    """

    values: Float[np.ndarray, " n"]
    expects: str
    margin: float
    role: str = "decides"
    scale: float = 0.0
    student: Student | None = None
    missing: str = ""
    unsettled: str = ""


@dataclass(frozen=True)
class Answer:
    """The answer of one comparison of n values.

    Arguments:
        estimate: Their mean; of within the largest in size, of beyond the smallest; NaN of none.
        low: The lower end of its 95 % interval by itself; of within and beyond, of the values.
        low_all: The lower end of the interval that holds together with those of all others that
            decide: the verdict is read off it, unless all of them agree by those by themselves.
        words: All of it in a line.
        p: The p-value that the mean is 0, by t, not adjusted.
        p_permutation: The same by sign flips, with the least that they can give; None if seeds
            share more than their mean.
        effect: The mean in standard deviations, Hedges' d_z.
        seeds_needed: If inconclusive, the seeds that tell none from twice the margin, each with
            power 0.8. None if there are as many: the effect is too near the margin.
        student: The mean with its error; None of what is asked of every value.
    """

    margin: float
    n: int
    verdict: Outcome
    words: str
    estimate: float = nan
    low: float = nan
    high: float = nan
    low_all: float = nan
    high_all: float = nan
    p: float | None = None
    p_permutation: float | None = None
    p_permutation_smallest: float | None = None
    effect: Estimate | None = None
    seeds_needed: int | None = None
    student: Student | None = None


@dataclass(frozen=True)
class Verdict:
    """The verdict on a claim, and the reason in a line.

    Arguments:
        p: Its p-value, the least α at which it is what it is; None if it is open, or no interval
            has a say in it.
    """

    verdict: Outcome
    words: str
    p: float | None = None


def decide(asked: Sequence[Question], decides: str = "all") -> tuple[list[Answer], Verdict]:
    """Answers the comparisons of a claim, and concludes from them.

    Arguments:
        decides: Whether the claim is that all of those that decide are so, or that any is.

    Raises:
        ValueError: If a value is not finite, an expectation, a margin, a role or the rule cannot
            be, or no comparison decides.
    """

    for place, each in enumerate(asked, start=1):
        _check(place, each)
    if decides not in DECIDES:
        raise ValueError(f"a claim must decide by {' or '.join(DECIDES)}, got {decides}")
    deciding = [place for place, each in enumerate(asked) if each.role == "decides"]
    if not deciding:
        raise ValueError("a claim must have a comparison that decides, got none")

    k = sum(asked[place].expects not in EVERY for place in deciding)
    found = [_answer(each, adjusted(k) if each.role == "decides" else LEVEL) for each in asked]
    alone = {place: _alone(asked[place], found[place]) for place in deciding}
    if {each.verdict for each in alone.values()} in AGREED[decides]:
        found = [alone.get(place, each) for place, each in enumerate(found)]

    return found, _conclude(list(zip(asked, found, strict=True)), decides)


def adjusted(k: int, alpha: float = 1 - LEVEL) -> float:
    """Returns the level of each of k intervals that hold together at 1 − α."""

    return 1 - alpha / max(k, 1)


def _check(place: int, asked: Question) -> None:
    """Checks that a comparison can be asked."""

    expects, margin = asked.expects, asked.margin
    if expects not in EXPECTATIONS:
        told = ", ".join(EXPECTATIONS)
        raise ValueError(f"comparison {place} must expect one of {told}, got {expects}")
    if asked.role not in ROLES:
        raise ValueError(f"a role must be one of {', '.join(ROLES)}, got {asked.role}")
    if not 0 <= margin < inf:
        raise ValueError(f"the margin of comparison {place} must be 0 or above, got {margin:g}")
    if expects == "equal" and margin == 0:
        raise ValueError(
            f"the margin of comparison {place} must be above 0, got 0: no number of seeds "
            "shows that two are exactly equal"
        )
    finite(asked.values, f"values of comparison {place}")


def _answer(asked: Question, level: float) -> Answer:
    """Answers a comparison by an interval of a level, or by every value."""

    values, n = finite(asked.values), len(asked.values)
    expected = expectation(asked.expects, asked.margin)
    if asked.missing:
        estimate = float(values.mean()) if n else nan
        return Answer(asked.margin, n, "inconclusive", asked.missing, estimate)
    if n < (needed := 1 if asked.expects in EVERY else 2):
        words = f"n = {n}, and it takes {needed} to tell whether it is {expected}"
        value, end = (float(values[0]), inf) if n else (nan, nan)
        return Answer(asked.margin, n, "inconclusive", words, value, -end, end, -end, end)
    if asked.expects in EVERY:
        found = _of_every(values, asked.expects, asked.margin)
        told = f"{asked.unsettled}; {found.words}"
        return replace(found, verdict="inconclusive", words=told) if asked.unsettled else found

    student = asked.student or mean(values, asked.scale)
    own, all_ = student.interval(LEVEL), student.interval(level)
    outcome, told = _read(all_.low, all_.high, asked.expects, asked.margin)
    if asked.unsettled:
        outcome, told = "inconclusive", asked.unsettled
    p = student.test().p
    # To flip signs is to take seeds for independent: what they share of the data is left out.
    flips = None if asked.student else sign_flips(values)
    seeds, hint = None, ""
    if outcome == "inconclusive" and not asked.unsettled:
        seeds, hint = _needed(student, asked.margin, level)
    over = f" over {student.over}" if asked.student else ""
    hint = (f"; {told}" if told else "") + hint
    together = "" if level == LEVEL else f" ({all_.low:.3g} to {all_.high:.3g} with all)"
    flipped = f", {flips.p:.2g} by sign flips (at best {flips.smallest:.2g})" if flips else ""
    words = (
        f"mean {student.estimate:.3g}, {100 * LEVEL:g} % interval{over} {own.low:.3g} to "
        f"{own.high:.3g}{together}, n = {n}, expected {expected}; p = {p:.2g} by t{flipped}{hint}"
    )

    return Answer(
        asked.margin,
        n,
        outcome,
        words,
        *(student.estimate, own.low, own.high, all_.low, all_.high),
        p=p,
        p_permutation=flips and flips.p,
        p_permutation_smallest=flips and flips.smallest,
        effect=hedges(values, LEVEL) if n > 2 and not identical(values, asked.scale) else None,
        seeds_needed=seeds,
        student=student,
    )


def _alone(asked: Question, answer: Answer, level: float = LEVEL) -> Answer:
    """Answers by an interval of a level for a comparison by itself, where there is one."""

    if asked.unsettled or answer.student is None:
        return answer
    own = answer.student.interval(level)
    outcome, _ = _read(own.low, own.high, asked.expects, asked.margin)

    return replace(answer, verdict=outcome, seeds_needed=None)


def _read(low: float, high: float, expects: str, m: float) -> tuple[Outcome, str]:
    """Reads an outcome off an interval, and what else it says."""

    null = m > 0 and low >= -m and high <= m
    if expects == "equal":
        beyond = low > m or high < -m
        return ("supported" if null else "contradicted" if beyond else "inconclusive"), ""

    if expects == "less":
        low, high = -high, -low
    side = ("above", "below") if expects == "greater" else ("below", "above")
    if low > m:
        return "supported", ""
    if high < -m:
        return "contradicted", ""
    if null:
        sign = side[0] if low > 0 else side[1] if high < 0 else ""
        return NULL, f"it is {sign} 0 all the same" if sign else ""
    if m and high <= m:
        limit = m if expects == "greater" else -m
        return "inconclusive", f"an effect {side[0]} {limit:g} is excluded"

    return "inconclusive", ""


def _of_every(values: Float[np.ndarray, " n"], expects: str, margin: float) -> Answer:
    sizes = np.abs(values)
    worst = values[sizes.argmax() if expects == "within" else sizes.argmin()]
    met = sizes <= margin if expects == "within" else sizes > margin
    told = f"{met.sum()} of {len(values)}, expected {expectation(expects, margin)}"
    ends = float(values.min()), float(values.max())
    outcome: Outcome = "supported" if met.all() else "contradicted"
    words = f"{told}; the worst is {worst:.3g}"

    return Answer(margin, len(values), outcome, words, float(worst), *ends, *ends)


def _needed(student: Student, margin: float, level: float) -> tuple[int | None, str]:
    """Returns how many seeds would tell no effect, and one of twice the margin; None if no more.

    It is said, and where no number of seeds would tell since they share too much of the error.

    Without a margin any effect counts, and small ones would take any number.
    """

    floor = student.floor
    if not margin or not isfinite(student.error):
        return None, ""
    spread = sqrt(max(student.error**2 - floor**2, 0.0) * student.n)
    try:
        least = max(
            seeds_for_difference(spread, margin, level, floor=floor).n,
            seeds_for_equivalence(spread, margin, (1 + level) / 2, floor=floor).n,
        )
    except ValueError:
        told = f"no number of seeds would tell: an error of {floor:.2g} stays, of the test items"
        return None, f"; {told}"

    return (least, f"; {least} seeds would tell") if least > student.n else (None, "")


def _conclude(answers: Sequence[tuple[Question, Answer]], decides: str) -> Verdict:
    """Concludes from the answers, as the head of this file says."""

    placed = list(enumerate(answers, start=1))
    for place, (asked, answer) in placed:
        if asked.role == "control" and answer.verdict != "supported":
            told = f"the control, comparison {place}, did not show what it must"
            return Verdict("inconclusive", f"{told}, {answer.verdict}: {answer.words}")

    deciding = {place: answer for place, (asked, answer) in placed if asked.role == "decides"}
    found: set[Outcome] = {answer.verdict for answer in deciding.values()}
    outcome = _together(found, decides)
    told = [_share(deciding, each) for each in dict.fromkeys((outcome, *TOLD)) if each in found]
    asked = [pair for pair in answers if pair[0].role == "decides"]

    return Verdict(outcome, ". ".join(told), _least_alpha(asked, outcome, decides))


def _together(found: set[Outcome], decides: str) -> Outcome:
    """Returns the outcome of a claim whose comparisons have these."""

    if decides == "all" and "contradicted" in found:
        return "contradicted"
    if decides == "all" and NULL in found:
        return NULL
    if found == {"supported"} or (decides == "any" and "supported" in found):
        return "supported"
    if found == {"contradicted"}:
        return "contradicted"
    if found <= {"contradicted", NULL}:
        return NULL

    return "inconclusive"


def _least_alpha(
    asked: Sequence[tuple[Question, Answer]], outcome: Outcome, decides: str
) -> float | None:
    """Returns the least α at which comparisons have an outcome together; None if no α has a say."""

    k = sum(answer.student is not None for _, answer in asked)
    if outcome == "inconclusive" or not k:
        return None

    def same(alpha: float) -> bool:
        def found(level: float) -> set[Outcome]:
            return {_alone(*pair, level).verdict for pair in asked}

        alone = found(1 - alpha)
        joint = alone if alone in AGREED[decides] else found(adjusted(k, alpha))
        return _together(joint, decides) == outcome

    low, high = LEAST, 1 - LEVEL
    while high > 1.01 * low:
        middle = sqrt(low * high)
        low, high = (low, middle) if same(middle) else (middle, high)

    return high


def _share(deciding: dict[int, Answer], outcome: Outcome) -> str:
    said = [
        f"comparison {place}"
        + (f", no effect larger than {answer.margin:g}" if outcome == NULL else "")
        + f": {answer.words}"
        for place, answer in deciding.items()
        if answer.verdict == outcome
    ]

    return f"{len(said)} of {len(deciding)} that decide {_is(outcome)}; " + "; ".join(said)


def _is(outcome: Outcome) -> str:
    return "have no effect that counts" if outcome == NULL else f"are {outcome}"
