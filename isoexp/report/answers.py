"""The answers of a claim: its verdict in a line, and the table of its comparisons."""

__all__ = ["comparisons_table", "effects", "line", "outcome"]

from collections.abc import Sequence

from ..claims.answer import NULL
from ..claims.decision import Answered, Decision
from .cells import code, count, number, p_value, ranged, text, verdict
from .document import Cell, Column, Table

SHOWN = 2
"""Effects that the table of claims shows of one."""


def outcome(decision: Decision) -> str:
    """Says the verdict; of no effect, with the margin."""

    found = decision.verdict.verdict
    margins = {
        number(each.comparison.margin) + (" as a ratio" if each.log else "")
        for each in _deciding(decision)
        if each.answer.verdict == NULL
    }

    return (
        f"no effect larger than {margins.pop()}" if found == NULL and len(margins) == 1 else found
    )


def line(decision: Decision) -> str:
    """Gives the reason of the verdict in one line."""

    controls = [
        each
        for each in decision.answers
        if each.comparison.role == "control" and each.answer.verdict != "supported"
    ]
    if controls:
        told = "; ".join(_told(each) for each in controls)
        return f"a control did not show what it must, so that the rest means nothing yet. {told}."
    found, deciding = decision.verdict.verdict, _deciding(decision)
    telling = [each for each in deciding if each.answer.verdict == found]
    if not telling:
        null = [each for each in deciding if each.answer.verdict == NULL]
        held = len(deciding) - len(null)
        shown = "; ".join(_told(each) for each in null[:SHOWN])
        return f"the comparisons disagree: {held} of {len(deciding)} are as expected, but {shown}."
    if found == "supported" and len(telling) > SHOWN:
        return f"all {len(telling)} comparisons that decide are as expected."
    more = f"; and {len(telling) - SHOWN} more, below" if len(telling) > SHOWN else ""

    return "; ".join(_told(each) for each in telling[:SHOWN]) + f"{more}."


def effects(decision: Decision, shown: int = SHOWN) -> Cell:
    """Tells the effects that decide, each with its interval and n: first those that did.

    Arguments:
        shown: How many are told; the rest is counted.
    """

    first = decision.verdict.verdict
    told = []
    for each in sorted(_deciding(decision), key=lambda each: each.answer.verdict != first):
        found = ranged(each.interval, each.log).text
        told.append(f"{each.question}: {found}, n = {each.answer.n}")
    more = [f"and {len(told) - shown} more"] if len(told) > shown else []

    return Cell("\n".join(told[:shown] + more), ("; ".join(told),))


def comparisons_table(decision: Decision, name: str) -> Table:
    """Makes the table of comparisons; a column that none of them has is left out."""

    rows = [_row(place, each) for place, each in enumerate(decision.answers, start=1)]
    kept = [
        place
        for place, (column, _) in enumerate(rows[0])
        if column.head not in OPTIONAL or any(row[place][1].values[0] is not None for row in rows)
    ]
    levels = {each.answer.level for each in decision.answers}
    caption = (
        "The comparisons. Intervals have the level of "
        f"{' and '.join(f'{100 * each:g} %' for each in sorted(levels))}, each by itself; what is "
        "asked of every network has the worst value and the range of all. p-values are two-sided, "
        "of the mean being zero (of ratios: one); Holm counts all comparisons of the claim. Sign "
        "flips show in brackets the smallest p that so many seeds can reach."
    )

    return Table(
        name,
        caption,
        [rows[0][place][0] for place in kept],
        [[row[place][1] for place in kept] for row in rows],
    )


OPTIONAL = ("p (t)", "p (Holm)", "p (sign flips)", "d_z", "p (equivalence)", "seeds needed")


def _row(place: int, answered: Answered) -> Sequence[tuple[Column, Cell]]:
    """Makes the columns of a comparison, each with its cell."""

    asked, answer = answered.comparison, answered.answer
    what = f"{answered.metric.words}, as a ratio" if answered.log else answered.metric.words
    effect = answer.effect
    spread = (effect.estimate, effect.low, effect.high) if effect else None
    needed = answer.seeds_needed

    return [
        (Column("", ("comparison",), number=True), count(place)),
        (Column("contrast"), code(answered.contrast)),
        (Column("of"), text(asked.words or what)),
        (Column("verdict"), verdict(answer.verdict)),
        (Column("role"), text(asked.role)),
        (Column("expected"), text(answered.expected)),
        (
            Column("estimate", ("estimate", "low", "high"), number=True),
            ranged(answered.interval),
        ),
        (Column("n", number=True), count(answer.n)),
        (Column("p (t)", number=True), p_value(answer.p)),
        (Column("p (Holm)", number=True), p_value(answer.p_holm)),
        (
            Column("p (sign flips)", ("p (sign flips)", "smallest p"), number=True),
            p_value(answer.p_permutation, answer.p_permutation_smallest)
            if answer.p_permutation is not None
            else Cell("–", (None, None)),
        ),
        (Column("d_z", ("d_z", "d_z low", "d_z high"), number=True), ranged(spread)),
        (Column("p (equivalence)", number=True), p_value(answer.p_equivalence)),
        (
            Column("seeds needed", number=True),
            Cell("–" if needed is None else str(needed), (needed,)),
        ),
    ]


def _deciding(decision: Decision) -> list[Answered]:
    return [each for each in decision.answers if each.comparison.role == "decides"]


def _told(answered: Answered) -> str:
    """Tells the answer of a comparison, or why numbers of it are missing."""

    if answered.missing:
        return f"{answered.comparison.contrast}: {answered.answer.words}"
    needed = answered.answer.seeds_needed

    return answered.line + (f"; about {needed} seeds would tell" if needed else "")
