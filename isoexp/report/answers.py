"""The answers of a claim: its verdict in a line, and the table of its comparisons."""

__all__ = ["comparisons_table", "effects", "line", "outcome"]

from ..claims.decision import Answered, Decision
from ..claims.verdict import LEVEL, NULL
from ..statistics import bounds
from .cells import code, count, number, ranged, text, verdict
from .document import Cell, Row, Table, numbers

SHOWN = 2
"""Effects that the table of claims shows of one."""


def outcome(decision: Decision) -> str:
    """Says the verdict; of no effect, with the margin."""

    found = decision.verdict.verdict
    margins = {
        number(each.comparison.margin) + (" as a ratio" if each.metric.log else "")
        for each in _deciding(decision)
        if each.answer.verdict == NULL
    }
    if found == NULL and len(margins) == 1:
        return f"no effect larger than {margins.pop()}"

    return found


def line(decision: Decision) -> str:
    """Gives the reason of the verdict in one line."""

    controls = [
        _told(each)
        for each in decision.answers
        if each.comparison.role == "control" and each.answer.verdict != "supported"
    ]
    if controls:
        told = "; ".join(controls)
        return f"a control did not show what it must, so that the rest means nothing yet. {told}."
    found, deciding = decision.verdict.verdict, _deciding(decision)
    telling = [_told(each) for each in deciding if each.answer.verdict == found]
    if not telling:
        null = [_told(each) for each in deciding if each.answer.verdict == NULL]
        held, shown = len(deciding) - len(null), "; ".join(null[:SHOWN])
        return f"the comparisons disagree: {held} of {len(deciding)} are as expected, but {shown}."
    if found == "supported" and len(telling) > SHOWN:
        return f"all {len(telling)} comparisons that decide are as expected."
    more = f"; and {len(telling) - SHOWN} more, below" if len(telling) > SHOWN else ""

    return "; ".join(telling[:SHOWN]) + f"{more}."


def effects(decision: Decision, shown: int = SHOWN) -> Cell:
    """Tells the effects that decide, each with its interval and n: first those that did.

    Arguments:
        shown: How many are told; the rest is counted.
    """

    first = decision.verdict.verdict
    told = [
        f"{each.question}: {ranged(each.interval, each.metric.log).text}, n = {each.answer.n}"
        for each in sorted(_deciding(decision), key=lambda each: each.answer.verdict != first)
    ]
    more = [f"and {len(told) - shown} more"] if len(told) > shown else []

    return Cell("\n".join(told[:shown] + more), ("; ".join(told),))


def comparisons_table(decision: Decision, name: str) -> Table:
    """Makes the table of comparisons; a column that none of them has is left out."""

    rows = [_row(place, each) for place, each in enumerate(decision.answers, start=1)]
    kept = [head for head in rows[0] if any(row[head].values[0] is not None for row in rows)]
    caption = (
        f"The comparisons. Intervals have the level of {100 * LEVEL:g} %, each by itself; what is "
        "asked of every network has the worst value and the range of all. p-values are two-sided, "
        "of the mean being zero (of ratios: one); Holm counts all comparisons of the claim. Sign "
        "flips show in brackets the smallest p that so many seeds can reach."
    )

    return Table.of(name, caption, [{head: row[head] for head in kept} for row in rows])


def _row(place: int, answered: Answered) -> Row:
    asked, answer, metric = answered.comparison, answered.answer, answered.metric
    effect, flips = answer.effect, answer.p_permutation
    reached = "" if flips is None else f" (≥ {number(answer.p_permutation_smallest, 2)})"

    return {
        numbers("", "comparison"): count(place),
        "contrast": code(answered.contrast),
        "of": text(asked.words or metric.words + (", as a ratio" if metric.log else "")),
        "verdict": verdict(answer.verdict),
        "role": text(asked.role),
        "expected": text(answered.expected),
        numbers("estimate", "estimate", "low", "high"): ranged(answered.interval),
        numbers("n"): count(answer.n),
        numbers("p (t)"): count(answer.p, 2),
        numbers("p (Holm)"): count(answer.p_holm, 2),
        numbers("p (sign flips)", "p (sign flips)", "smallest p"): Cell(
            number(flips, 2) + reached, (flips, answer.p_permutation_smallest)
        ),
        numbers("d_z", "d_z", "d_z low", "d_z high"): ranged(effect and bounds(effect)),
        numbers("p (equivalence)"): count(answer.p_equivalence, 2),
        numbers("seeds needed"): count(answer.seeds_needed),
    }


def _deciding(decision: Decision) -> list[Answered]:
    return [each for each in decision.answers if each.comparison.role == "decides"]


def _told(answered: Answered) -> str:
    """Tells the answer of a comparison, or why numbers of it are missing."""

    if answered.missing:
        return f"{answered.comparison.contrast}: {answered.answer.words}"
    needed = answered.answer.seeds_needed

    return answered.line + (f"; about {needed} seeds would tell" if needed else "")
