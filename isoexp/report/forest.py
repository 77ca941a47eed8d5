"""Where a claim holds: the effects in all cells in which it was asked, and their mean."""

__all__ = ["forest_blocks"]

from math import exp

from ..claims.across import Across, across
from ..claims.decision import Decision
from ..figures.forest import forest
from ..statistics import bounds
from .answers import outcome
from .cells import code, interval, number, ranged, text, verdict
from .document import Block, Figure, Paragraph, Row, Table, numbers

TOLD = 8
"""Cells that the text beside a figure names."""


def forest_blocks(decision: Decision, anchor: str) -> list[Block]:
    """Tells of a claim in its cells; nothing of one that was asked in none."""

    found, cells = across(decision)
    left = {k: v for k, v in decision.evidence.not_here.items() if k not in cells}
    blocks: list[Block] = []
    for place, each in enumerate(found, start=1):
        blocks.append(Paragraph(f"Where it holds. {each.line}."))
        if (figure := _figure(each, f"{anchor}-forest-{place}")) is not None:
            blocks.append(figure)
    if cells:
        rows: list[Row] = []
        for cell, own in cells.items():
            row: Row = {"cell": code(cell), "the claim there": verdict(outcome(own))}
            for place, each in enumerate(found, start=1):
                answered = each.answers[cell]
                head = numbers(
                    answered.question, *(f"{k} {place}" for k in ("effect", "low", "high"))
                )
                row[head] = ranged(answered.interval, answered.metric.log)
            row["not settled"] = text("; ".join(_open(own)))
            rows.append(row)
        caption = (
            "The cells in which the claim was asked: arms are tuned in each, with the same budget. "
            "Intervals have the level of 95 %, each by itself. No cell is left out."
        )
        blocks.append(Table.of(f"{anchor}-cells", caption, rows))
    if left:
        told = "; ".join(f"{cell}: {why}" for cell, why in left.items())
        blocks.append(Paragraph(f"Not run. {told}."))

    return blocks


def _figure(each: Across, name: str) -> Figure | None:
    if each.pooled is None or each.mean is None:
        return None
    ratio, asked = each.asked.metric.log, each.asked.comparison
    cells = [(cell, answered.interval) for cell, answered in each.whole.items()]
    predicted = bounds(each.pooled.predicted.triple, ratio)
    svg = forest(cells, each.mean, predicted, asked.margin, each.asked.question, ratio)
    told = "; ".join(f"{cell} {interval(*triple)}" for cell, triple in cells[:TOLD])
    alt = f"Effects by cell: {told}; mean {interval(*each.mean)}."
    tau = exp(each.pooled.spread.estimate) if ratio else each.pooled.spread.estimate
    caption = (
        f"{each.asked.question}, in every cell, with 95 % intervals; the grey band is the effect "
        "that does not count, and marks are larger where a cell is more certain. Below, the mean "
        f"over cells (random effects, spread {number(tau, 2)}: Paule and Mandel, with the interval "
        "of Hartung and Knapp), and, dashed, where the effect in another cell like these would "
        "lie. Cells that share data err alike on them, which the mean does not know of."
    )

    return Figure(name, svg, alt, caption)


def _open(decision: Decision) -> list[str]:
    """Says why comparisons that decide are open in a cell, apart from their intervals."""

    return list(
        dict.fromkeys(
            each.unsettled or each.answer.words
            for each in decision.answers
            if each.unsettled or each.missing
        )
    )
