"""The arms of a claim in tables and figures: their overrides, their tuning, their metrics."""

__all__ = ["arms_table", "curve_figure", "metrics_figure", "tuning_table"]

import textwrap
from collections.abc import Mapping, Sequence

import numpy as np

from ..claims import Metric
from ..claims.evidence import Evidence, matching
from ..figures.arms import curves, dots, over_seeds
from ..statistics import mean_interval
from .cells import code, estimate, interval, measured, number, text
from .document import Cell, Column, Figure, Row, Table, numbers

TOLD = 6
"""Arms that the text beside a figure names."""

Values = Mapping[str, Mapping[str, np.ndarray]]
"""Of each metric the values of each arm by seed, NaN where they are missing."""


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
            row["at the end of its grid"] = text(edges if chosen else "")
        for key, metric in claim.metrics.items():
            own = values[key][arm]
            cell = estimate(mean_interval(own, metric.log), int(np.isfinite(own).sum()))
            row[measured(_titled(metric), key)] = cell
        rows.append(row)

    caption = "The arms, and the mean of each metric over seeds with its 95 % t interval."
    if any(metric.log for metric in claim.metrics.values()):
        caption += " What is compared by ratios has its geometric mean."

    return Table.of(name, caption, rows)


def tuning_table(evidence: Evidence, name: str) -> Table | None:
    """Makes the table of scores, settings by arm; None if no arm was tuned."""

    tuning, tuned = evidence.claim.tuning, evidence.tuned
    if tuning is None or not tuned:
        return None
    scores: dict[str, dict[str, Cell]] = {}
    for arm, each in tuned.items():
        for tried in each["tried"]:
            settings = " ".join(f"{key}={value}" for key, value in tried["values"].items())
            failed = f"{tried['failed']} of {tried['networks']} failed" if tried["failed"] else ""
            told, best = failed or number(tried["score"]), tried["values"] == each["chosen"]
            cell = Cell(told + " (best)" * best, (tried["score"],), kind="best" * best)
            scores.setdefault(settings, {})[arm] = cell
    caption = (
        f"Tuning: the mean {tuning.metric} of {tuning.seeds} networks of other seeds, for each "
        "combination of the grid. The best of each arm is what was compared."
    )
    columns = [Column("settings"), *map(numbers, tuned)]
    rows = [
        [code(settings), *(own.get(arm, text("")) for arm in tuned)]
        for settings, own in scores.items()
    ]

    return Table(name, caption, columns, rows)


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
            f"{arm} {interval(*mean_interval(own, m.log))}" for arm, own in values[key].items()
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
        frames = [evidence.results(run, plot.of) for run in runs]
        found = [matching(frame, plot.where) for frame in frames if frame is not None]
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


def _titled(metric: Metric) -> str:
    return f"{metric.words} ({metric.unit})" if metric.unit else metric.words


def _several(told: Sequence[str]) -> str:
    more = f"; {len(told) - TOLD} more in the table" if len(told) > TOLD else ""

    return "; ".join(told[:TOLD]) + more
