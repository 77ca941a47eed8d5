"""What was found, in a plain sentence: each outcome in the words of the claim, with its size.

Comparisons of one outcome that say the same share a clause; {} in it is their labels and effects.
Without words of its own a clause is made of the arms, the metric and the sign. What is inconclusive
is told by what is excluded and what is still possible.
"""

__all__ = ["label", "read_off", "sentence", "valued"]

from collections.abc import Iterable, Sequence
from math import ceil, exp, floor, isfinite

import numpy as np

from ..claims.decision import Answered, Decision
from ..claims.verdict import EVERY, NULL
from ..output import plural
from .units import EXACT, Triple, amount, effect

WORDS = 60
"""Words of a sentence, about; its first clause may have more."""

EACH = 2
"""Comparisons of a clause that have each its effect; more have the range of them."""

NAMED = 8
"""Comparisons that a clause names."""

ORDER = ("contradicted", "supported", NULL, "inconclusive")
"""Outcomes as they are told, the verdict's before all others."""


def sentence(decision: Decision) -> str:
    """Says in a sentence what was found, with effects, intervals, margin and seeds."""

    controls = [
        each
        for each in decision.answers
        if each.comparison.role == "control" and each.answer.verdict != "supported"
    ]
    if controls:
        told = "; ".join(_clause(decision, *each) for each in _grouped(controls, ORDER))
        return f"A control did not show what it must, so that the rest means nothing yet: {told}."

    deciding = decision.deciding
    order = dict.fromkeys((decision.verdict.verdict, *ORDER))
    margins = list(dict.fromkeys(map(_margin, deciding)))
    clauses, left, words = [], 0, 0
    for text, members in _grouped(deciding, order):
        clause = _clause(decision, text, members, _margin(members[0]) if len(margins) > 1 else "")
        words += len(clause.split())
        if clauses and words > WORDS:
            left += len(members)
        else:
            clauses.append(clause)
    if left:
        clauses.append(f"{left} more in the table")
    over = dict.fromkeys(each.over for each in deciding if each.over != "seeds")
    told = [
        *(margins if len(margins) == 1 else ()),
        plural(decision.evidence.claim.seeds, "seed"),
        *(f"intervals over {each}" for each in over),
    ]
    found = "; ".join(clauses)

    return f"{_begun(found, deciding)}; {', '.join(told)}."


def label(answered: Answered) -> str:
    """Names a comparison: by its label, its question, or its contrast."""

    asked = answered.comparison

    told = asked.label or asked.words or answered.contrast.replace(" - ", " − ")

    return " ".join(told.split())


def read_off(decision: Decision, answered: Answered) -> Triple:
    """Returns the estimate and the interval that the verdict is read off.

    Of an arm alone they are of its value, and not of the difference from what it is held against.
    """

    wide = decision.together and answered.comparison.role == "decides"

    return valued(answered, answered.interval_all if wide else answered.interval)


def valued(answered: Answered, triple: Triple) -> Triple:
    """Returns numbers of a contrast, of an arm alone those of its value."""

    against, (a, b, c) = _against(answered), triple
    if answered.metric.log:
        factor = against or 1.0
        return factor * a, factor * b, factor * c

    return a + against, b + against, c + against


def _against(answered: Answered) -> float:
    """Returns what an arm alone is held against."""

    return answered.comparison.against if len(answered.comparison.weights) == 1 else 0.0


def _grouped(answers: Sequence[Answered], order: Iterable[str]) -> list[tuple[str, list[Answered]]]:
    """Groups comparisons of one outcome that say the same of the same kind of number."""

    groups: dict[tuple[str, ...], list[Answered]] = {}
    for outcome in order:
        for each in answers:
            if each.answer.verdict == outcome:
                said = _said(each)
                own = _margin(each) if said else each.question
                groups.setdefault((said, outcome, own), []).append(each)

    return [(said, members) for (said, *_), members in groups.items()]


def _said(answered: Answered) -> str:
    """Returns what an outcome means; without {} it is told of the comparison alone, as a whole."""

    outcome = answered.answer.verdict
    if outcome == "inconclusive":
        return _undecided(answered)
    told = answered.comparison.says.get("none" if outcome == NULL else outcome, "")

    return told if "{}" in told or not told else told + ": {}"


def _clause(decision: Decision, text: str, members: Sequence[Answered], margin: str = "") -> str:
    """Writes a clause; its effects have the margin behind them, if it is not that of all."""

    behind = f", {margin}" if margin else ""
    if not text:
        return "; ".join(_plainly(decision, each) + behind for each in members)
    ranged = members[0].comparison.expects in EVERY or len(members) > EACH
    names = [label(each) for each in members]
    if members[0].missing:
        told = _listed(names)
    elif ranged:
        told = f"{_listed(names)} ({_range(members)}{behind})"
    else:
        told = _listed(
            [
                f"{name} ({effect(read_off(decision, each), each.metric)}{behind})"
                for name, each in zip(names, members, strict=True)
            ]
        )

    return text.replace("{}", told)


def _plainly(decision: Decision, answered: Answered) -> str:
    """Tells an effect by the arms, the words of the metric and the sign."""

    asked, metric, weights = answered.comparison, answered.metric, answered.comparison.weights
    arm = next(iter(weights))
    triple = read_off(decision, answered)
    every = asked.expects in EVERY
    told = _range([answered]) if every else effect(triple, metric) + _held(answered)
    if asked.words:
        return f"{asked.words}: {told}"
    if len(weights) == 1:
        return f"{metric.words} of {arm}: {told}"
    if list(weights.values()) == [1.0, -1.0] and not every:
        other = list(weights)[1]
        if metric.log:
            return f"{metric.words} of {arm} is {told.removeprefix('× ')} times that of {other}"
        if triple[0] < 0:
            triple = -triple[0], -triple[2], -triple[1]
            return f"{arm} has {effect(triple, metric)} less {metric.words} than {other}"
        return f"{arm} has {effect(triple, metric)} more {metric.words} than {other}"

    return f"{label(answered)}: {told} of {metric.words}"


def _held(answered: Answered) -> str:
    """Says what a value was held against, if anything."""

    against = _against(answered)

    return f" against {amount(against, answered.metric, digits=EXACT)}" if against else ""


def _range(members: Sequence[Answered]) -> str:
    """Tells the range of estimates, or of the sizes of what is asked of every network."""

    asked, metric = members[0].comparison, members[0].metric
    if asked.expects in EVERY:
        sizes = np.abs(np.concatenate([each.values for each in members]))
        limit = members[0].answer.margin
        if metric.log:
            sizes, limit = np.exp(sizes), exp(limit)
        low, high = float(sizes.min()), float(sizes.max())
        off = "off by " if asked.against else ""
        if high <= limit:
            return off + (f"at most {amount(high, metric, ceil)}" if high else "0")
        if low > limit:
            return f"{off}at least {amount(low, metric, floor)}"
    else:
        found = [valued(each, each.interval)[0] for each in members]
        low, high = min(found), max(found)

    ends = amount(low, metric, unit=False), amount(high, metric, unit=False)
    behind = amount(high, metric)
    told = behind if ends[0] == ends[1] else f"{ends[0]} to {behind}"

    return f"× {told}" if metric.log else told


def _undecided(answered: Answered) -> str:
    """Says why a comparison is open: what is missing, or what its interval excludes and allows."""

    gaps = answered.missing
    if gaps:
        first = f"{gaps[0].arm}, seed {gaps[0].seed}: {gaps[0].reason}"
        more = f", and {len(gaps) - 1} more" if len(gaps) > 1 else ""
        lack = plural(len(gaps), "number")
        return f"nothing is said of {{}}: {lack} missing ({first}{more})"
    if answered.unsettled:
        return f"not decided: {{}}; {answered.unsettled}"
    answer = answered.answer
    if answer.n < 2 or not isfinite(answer.low_all):
        return "not decided: {}; so few seeds bound nothing"

    m, low, high = answer.margin, answer.low_all, answer.high_all
    below, above = (_end(answered, end) for end in (-m, m))
    told = {f"above {above}": high > m, f"below {below}": low < -m}
    if m:
        told["in between"] = low <= m and high >= -m
    possible = [each for each, can_be in told.items() if can_be]
    excluded = [each for each, can_be in told.items() if not can_be]
    said = [f"{_listed(excluded)} {_be(excluded)} excluded"] if excluded else []
    said.append(f"{_listed(possible)} {_be(possible)} possible")
    needed = answer.seeds_needed

    said += [f"about {needed} seeds would tell"] if needed else []

    return f"not decided: {{}}; {', '.join(said)}"


def _be(names: Sequence[str]) -> str:
    return "is" if len(names) == 1 else "are"


def _end(answered: Answered, end: float) -> str:
    """Writes an end of what does not count."""

    value = exp(end) if answered.metric.log else end

    return amount(valued(answered, (value, value, value))[0], answered.metric, digits=EXACT)


def _margin(answered: Answered) -> str:
    """Names the effect that counts, or the limit of every value."""

    asked, metric = answered.comparison, answered.metric
    told = amount(asked.margin, metric, digits=EXACT)
    if asked.expects in EVERY:
        return f"limit {told}"
    if not answered.answer.margin:
        return "no margin"

    return f"margin {'a factor of ' if metric.log else ''}{told}"


def _listed(names: Sequence[str]) -> str:
    """Lists names: a, b and c."""

    names = list(names)
    if len(names) > NAMED:
        names = [*names[: NAMED - 1], f"{len(names) - NAMED + 1} more"]

    return " and ".join(filter(None, [", ".join(names[:-1]), names[-1]])) if names else ""


def _begun(told: str, deciding: Sequence[Answered]) -> str:
    """Begins a sentence with a capital; names of arms are as they are written."""

    first = told.split()[0].strip(",:;") if told.split() else ""
    named = {
        name for each in deciding for name in (*each.comparison.weights, label(each).split()[0])
    }

    return told if first in named else told[:1].upper() + told[1:]
