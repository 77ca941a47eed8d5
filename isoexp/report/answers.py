"""The answers of a claim and what they rest on, comparisons and arms, in tables and figures."""

__all__ = [
    "arms_table", "comparisons_table", "curve_figure", "effects", "line", "metrics_figure",
    "outcome",
]  # fmt: skip

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from ..claims import Metric
from ..claims.decision import Answered, Decision
from ..claims.evidence import Evidence, matching, tables
from ..claims.verdict import LEVEL, NULL
from ..figures.arms import curves, dots, over_seeds
from ..statistics import mean_interval
from .cells import code, count, estimate, interval, measured, number, ranged, text, verdict
from .document import Cell, Figure, Row, Table, numbers

SHOWN = 2
"""Effects that the table of claims shows of one."""

TOLD = 6
"""Arms that the text beside a figure names."""

TOGETHER = numbers("with all that decide", "estimate", "low (all)", "high (all)")
"""The column of intervals that hold together."""

Values = Mapping[str, Mapping[str, np.ndarray]]
"""Of each metric the values of each arm by seed, NaN where they are missing."""


def outcome(decision: Decision) -> str:
    """Says the verdict; of no effect, with the margin, and in how many of the comparisons."""

    found, deciding = decision.verdict.verdict, _deciding(decision)
    null = [each for each in deciding if each.answer.verdict == NULL]
    margins = {
        number(each.comparison.margin) + (" as a ratio" if each.metric.log else "") for each in null
    }
    if found != NULL or len(margins) != 1:
        return found
    share = f", in {len(null)} of {len(deciding)}" if len(null) < len(deciding) else ""

    return f"no effect larger than {margins.pop()}{share}"


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
    if found == "supported" and len(telling) == len(deciding) > SHOWN:
        return f"all {len(telling)} comparisons that decide are as expected."
    reversed_ = [each for each in deciding if each.answer.verdict == "contradicted"]
    if found == "supported" and reversed_:
        telling = telling[: SHOWN - 1] + [f"but {_told(each)}" for each in reversed_]
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
    caption = f"The comparisons. Intervals have the level of {100 * LEVEL:g} %, each by itself"
    if TOGETHER in kept:
        caption += (
            ", and wider ones where all that decide hold together: a verdict is read off these, "
            "unless all that decide agree by those by themselves"
        )
    caption += (
        ". What is asked of every network has the worst value and the range of all. p-values are "
        "two-sided, of the mean being zero (of ratios: one), and not adjusted. Sign flips show in "
        "brackets the smallest p that so many seeds can reach."
    )

    return Table.of(name, caption, [{head: row[head] for head in kept} for row in rows])


def arms_table(evidence: Evidence, values: Values, name: str) -> Table:
    """Makes the table of arms: their overrides, their tuned settings, their metrics."""

    claim = evidence.claim
    rows: list[Row] = []
    for arm, overrides in claim.arms.items():
        row: Row = {"arm": code(arm), "words": code(" ".join(overrides))}
        if claim.tuning is not None:
            tuned = evidence.tuned.get(arm) or {}
            chosen = [f"{key}={value}" for key, value in (tuned.get("chosen") or {}).items()]
            edges = ", ".join(tuned.get("edges") or ()) or "no"
            row["tuned to"] = code(" ".join(chosen))
            row["at an end of what was tried"] = text(edges if chosen else "")
        for key, metric in claim.metrics.items():
            own = values[key][arm]
            cell = estimate(mean_interval(own, metric.log), int(np.isfinite(own).sum()), metric.log)
            row[measured(_titled(metric), key)] = cell
        rows.append(row)

    caption = "The arms, and the mean of each metric over seeds with its 95 % t interval."
    if any(metric.log for metric in claim.metrics.values()):
        caption += " What is compared by ratios has its geometric mean."

    return Table.of(name, caption, rows)


def metrics_figure(evidence: Evidence, values: Values, name: str) -> Figure | None:
    """Draws the metrics, every seed a dot; None if nothing was measured."""

    metrics = evidence.claim.metrics
    svg = dots(  # titles in lines that fit below a panel
        (textwrap.fill(_titled(m), 44), m.log, values[key].items()) for key, m in metrics.items()
    )
    if svg is None:
        return None
    alt = "Dots by arm."
    for key, m in metrics.items():
        means = [
            f"{arm} {interval(*mean_interval(own, m.log), m.log)}"
            for arm, own in values[key].items()
        ]
        alt += f" {m.words}: {_several(means)}."
    caption = "Every dot is a network; the bar is the mean over seeds with its 95 % t interval."
    if any(metric.log for metric in metrics.values()):
        caption += " Logarithmic axes, geometric means: of what is compared by ratios."

    return Figure(name, svg, alt, caption)


def curve_figure(evidence: Evidence, name: str) -> Figure | None:
    """Draws the plot that a claim asks for; None if it asks for none, or has no rows."""

    plot = evidence.claim.curve
    if plot is None:
        return None
    parts, ends = [], []
    for arm in plot.arms:
        runs = [run for run in evidence.runs[arm].values() if run and run.status == "completed"]
        found = [matching(frame, plot.where) for frame in tables(runs, plot.of, evidence.results)]
        part = over_seeds(found, plot.x, plot.y)
        if len(part):
            parts.append(part.assign(arm=arm, panel=plot.y))
            first, last = (number(part["mean"].iloc[place], 3) for place in (0, -1))
            ends.append(f"{arm} from {first} to {last}")
    if not parts:
        return None
    x = np.concatenate([part["x"].to_numpy(dtype=float) for part in parts])
    reach = f"from {number(x.min(), 3)} to {number(x.max(), 3)}"
    alt = f"{plot.y} against {plot.x}, {reach}: {_several(ends)}."
    conditions = ", ".join(f"{key} {value}" for key, value in plot.where.items())
    of = f"the table of {plot.of}" + (f" where {conditions}" if conditions else "")
    caption = f"{plot.y} in {of}: the mean over seeds of each arm with its 95 % t interval."

    return Figure(name, curves(parts, plot.x, plot.log_x, log_y=()), alt, caption)


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
        TOGETHER: ranged(answered.interval_all if answer.low_all != answer.low else None),
        numbers("n"): count(answer.n),
        numbers("p (t)"): count(answer.p, 2),
        numbers("p (sign flips)", "p (sign flips)", "smallest p"): Cell(
            number(flips, 2) + reached, (flips, answer.p_permutation_smallest)
        ),
        numbers("d_z", "d_z", "d_z low", "d_z high"): ranged(effect and effect.triple),
        numbers("seeds needed"): count(answer.seeds_needed),
        "interval over": text(answered.over),
    }


def _deciding(decision: Decision) -> list[Answered]:
    return [each for each in decision.answers if each.comparison.role == "decides"]


def _told(answered: Answered) -> str:
    """Tells the answer of a comparison, or why numbers of it are missing."""

    if answered.missing:
        return f"{answered.comparison.contrast}: {answered.answer.words}"
    needed = answered.answer.seeds_needed

    return answered.line + (f"; about {needed} seeds would tell" if needed else "")


def _titled(metric: Metric) -> str:
    return f"{metric.words} ({metric.unit})" if metric.unit else metric.words


def _several(told: Sequence[str]) -> str:
    more = f"; {len(told) - TOLD} more in the table" if len(told) > TOLD else ""

    return "; ".join(told[:TOLD]) + more
