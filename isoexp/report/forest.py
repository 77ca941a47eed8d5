"""Where a claim holds: the effects in all cells in which it was asked, and their mean."""

__all__ = ["forest_blocks", "over_cells"]

from math import exp

from ..claims.across import Across, across
from ..claims.decision import Decision
from ..figures.forest import forest
from ..output import ended
from ..statistics import bounds
from .answers import outcome
from .cells import code, count, text, verdict
from .document import Block, Cell, Figure, Paragraph, Row, Table, numbers
from .sentence import label
from .units import Triple, amount, effect, in_unit

TOLD = 8
"""Cells that the text beside a figure names."""


def over_cells(each: Across) -> str:
    """Says the mean effect over cells, their spread, and where the effect is reversed."""

    name, metric = label(each.asked), each.asked.metric
    if each.pooled is None:
        return f"{name}: {len(each.whole)} cells have an answer, and 2 are needed"
    mean, spread = (
        bounds(found.triple, metric.log) for found in (each.pooled.mean, each.pooled.spread)
    )
    tau, low, high = (amount(value, metric) for value in spread)
    told = f"{name}: {effect(mean, metric)} over {len(each.whole)} cells, "
    told += f"spread between them {'× ' * metric.log}{tau} [{low} to {high}]"
    below, above = each.sides
    if mean[1] <= (null := 1.0 if metric.log else 0.0) <= mean[2]:
        signs = {f"below {null:g}": below, f"above {null:g}": above}
        told += "".join(f"; {side} in {', '.join(cells)}" for side, cells in signs.items() if cells)
    elif others := above if mean[2] < null else below:
        told += f"; reversed in {', '.join(others)}"
    left = len(each.answers) - len(each.whole)

    return told + (f"; numbers are missing in {left} more" if left else "")


def forest_blocks(decision: Decision, anchor: str) -> list[Block]:
    """Tells of a claim in its cells; nothing of one that was asked in none."""

    found, cells = across(decision)
    left = {k: v for k, v in decision.evidence.not_here.items() if k not in cells}
    blocks: list[Block] = []
    for place, each in enumerate(found, start=1):
        blocks.append(Paragraph(ended(f"Where it holds. {over_cells(each)}")))
        if (figure := _figure(each, f"{anchor}-forest-{place}")) is not None:
            blocks.append(figure)
    if cells:
        rows: list[Row] = []
        for cell, own in cells.items():
            row: Row = {"cell": code(cell), "the claim there": verdict(outcome(own))}
            for place, each in enumerate(found, start=1):
                names = (f"{name} {place}" for name in ("effect", "low", "high"))
                row[numbers(label(each.asked), *names)] = _effect(each, cell)
            row["not settled"] = text("; ".join(_open(own)))
            rows.append(row)
        caption = (
            "The cells in which the claim was asked: arms are tuned in each, with the same budget. "
            "Intervals have the level of 95 %, each by itself. No cell is left out."
        )
        blocks.append(Table.of(f"{anchor}-cells", caption, rows))
        if any(each.pooled for each in found):
            caption = "Over the cells, by random effects: the mean, τ, and the effect of another."
            pooled = [_pooled(each) for each in found if each.pooled]
            blocks.append(Table.of(f"{anchor}-over-cells", caption, pooled))
    if left:
        told = "; ".join(f"{cell}: {why}" for cell, why in left.items())
        blocks.append(Paragraph(ended(f"Not run. {told}")))

    return blocks


def _pooled(each: Across) -> Row:
    assert each.pooled is not None
    metric, found = each.asked.metric, each.pooled
    row: Row = {"comparison": text(label(each.asked)), numbers("cells"): count(len(each.whole))}
    for name, estimate in (
        ("mean", found.mean), ("spread", found.spread), ("another cell", found.predicted),
    ):  # fmt: skip
        triple = bounds(estimate.triple, metric.log)
        told = [amount(value, metric) for value in triple]
        shown = f"{'× ' * metric.log}{told[0]} [{told[1]} to {told[2]}]"
        row[numbers(name, *(f"{name} {end}" for end in ("estimate", "low", "high")))] = Cell(
            shown if name == "spread" else effect(triple, metric), triple
        )

    return row


def _effect(each: Across, cell: str) -> Cell:
    answered = each.answers[cell]

    return Cell(effect(answered.interval, answered.metric), answered.interval)


def _figure(each: Across, name: str) -> Figure | None:
    if each.pooled is None:
        return None
    metric, asked = each.asked.metric, each.asked.comparison

    def shown(triple: Triple) -> Triple:
        a, b, c = (in_unit(value, metric) for value in triple)
        return a, b, c

    mean, predicted = (
        bounds(found.triple, metric.log) for found in (each.pooled.mean, each.pooled.predicted)
    )
    axis = label(each.asked) + (f" ({metric.unit})" if metric.unit and not metric.log else "")
    svg = forest(
        [(cell, shown(answered.interval)) for cell, answered in each.whole.items()],
        *(shown(mean), shown(predicted), in_unit(asked.margin, metric), axis, metric.log),
    )
    told = [f"{cell} {effect(a.interval, metric)}" for cell, a in each.whole.items()]
    more = f"; {len(told) - TOLD} more in the table" if len(told) > TOLD else ""
    alt = f"Effects by cell: {'; '.join(told[:TOLD])}{more}; mean {effect(mean, metric)}."
    tau = exp(each.pooled.spread.estimate) if metric.log else each.pooled.spread.estimate
    caption = (
        f"{label(each.asked)}, in every cell, with 95 % intervals; the grey band is the effect "
        "that does not count, and marks are larger where a cell is more certain. Below, the mean "
        f"over cells (random effects, spread {amount(tau, metric)}: Paule and Mandel, with the "
        "interval of Hartung and Knapp), and, dashed, where the effect in another cell like these "
        "would lie. Cells that share data err alike on them, which the mean does not know of."
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
