"""The arms of a claim in tables and figures: their overrides, their tuning, their metrics."""

__all__ = ["arms_table", "curve_figure", "metrics_figure", "tuning_table"]

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..claims import Metric, Plot
from ..claims.evidence import Evidence
from ..claims.tables import matching
from .cells import code, estimate, interval, measured, number, of_mean, text
from .document import Cell, Column, Figure, Table
from .plots import curves, dots, over_seeds

TOLD = 6
"""Arms that the text beside a figure names."""

Values = Mapping[str, Mapping[str, np.ndarray]]
"""Of each metric the values of each arm by seed, NaN where they are missing."""


def arms_table(evidence: Evidence, values: Values, name: str) -> Table:
    """Makes the table of arms: their overrides, their tuned settings, their metrics."""

    claim = evidence.claim
    columns = [Column("arm"), Column("words")]
    if claim.tuning is not None:
        columns += [Column("tuned to"), Column("at the end of its grid")]
    columns += [measured(_titled(metric), key) for key, metric in claim.metrics.items()]

    rows = []
    for arm, overrides in claim.arms.items():
        row = [code(arm), code(" ".join(overrides))]
        if claim.tuning is not None:
            tuned = evidence.tuned.get(arm) or {}
            chosen = [f"{key}={value}" for key, value in (tuned.get("chosen") or {}).items()]
            edges = ", ".join(tuned.get("edges") or ()) or "no"
            row += [code(" ".join(chosen)), text(edges if chosen else "")]
        for key, metric in claim.metrics.items():
            own = values[key][arm]
            row.append(estimate(of_mean(own, metric.log), int(np.isfinite(own).sum())))
        rows.append(row)

    caption = "The arms, and the mean of each metric over seeds with its 95 % t interval."
    if any(metric.log for metric in claim.metrics.values()):
        caption += " What is compared by ratios has its geometric mean."

    return Table(name, caption, columns, rows)


def tuning_table(evidence: Evidence, name: str) -> Table | None:
    """Makes the table of scores, settings by arm; None if no arm was tuned."""

    tuning, tuned = evidence.claim.tuning, evidence.tuned
    if tuning is None or not tuned:
        return None
    scores: dict[str, dict[str, Cell]] = {}
    for arm, each in tuned.items():
        for tried in each["tried"]:
            settings = " ".join(f"{key}={value}" for key, value in tried["values"].items())
            best = tried["values"] == each["chosen"]
            scores.setdefault(settings, {})[arm] = _score(tried, best)
    rows = [
        [code(settings), *(own.get(arm, text("")) for arm in tuned)]
        for settings, own in scores.items()
    ]
    caption = (
        f"Tuning: the mean {tuning.metric} of {tuning.seeds} networks of other seeds, for each "
        "combination of the grid. The best of each arm is what was compared."
    )

    return Table(
        name, caption, [Column("settings"), *(Column(a, number=True) for a in tuned)], rows
    )


def metrics_figure(evidence: Evidence, values: Values, name: str) -> Figure | None:
    """Draws the metrics, every seed a dot; None if nothing was measured."""

    metrics = evidence.claim.metrics
    svg = dots((_labelled(m), m.log, values[key].items()) for key, m in metrics.items())
    if svg is None:
        return None
    told = [f"{m.words}: {_means(values[key], m.log)}" for key, m in metrics.items()]
    caption = "Every dot is a network; the bar is the mean over seeds with its 95 % t interval."
    if any(metric.log for metric in metrics.values()):
        caption += " Logarithmic axes, geometric means: of what is compared by ratios."

    return Figure(name, svg, "Dots by arm. " + " ".join(told), caption)


def curve_figure(evidence: Evidence, name: str) -> Figure | None:
    """Draws the plot that a claim asks for; None if it asks for none, or has no rows."""

    plot = evidence.claim.curve
    if plot is None:
        return None
    found = [_curve(evidence, plot, arm) for arm in plot.arms]
    parts = [
        each.assign(arm=arm, panel=plot.y)
        for arm, each in zip(plot.arms, found, strict=True)
        if len(each)
    ]
    if not parts:
        return None
    ends = [_ends(arm, part) for arm, part in zip(plot.arms, found, strict=True) if len(part)]
    x = np.concatenate([part["x"].to_numpy(dtype=float) for part in parts])
    reach = f"from {number(x.min(), 3)} to {number(x.max(), 3)}"
    alt = f"{plot.y} against {plot.x}, {reach}: {_several(ends)}."
    conditions = ", ".join(f"{key} {value}" for key, value in plot.where.items())
    of = f"the table of {plot.of}" + (f" where {conditions}" if conditions else "")
    caption = f"{plot.y} in {of}: the mean over seeds of each arm with its 95 % t interval."

    return Figure(name, curves(parts, plot.x, plot.log_x, log_y=()), alt, caption)


def _curve(evidence: Evidence, plot: Plot, arm: str) -> pd.DataFrame:
    runs = [run for run in evidence.runs[arm].values() if run and run.status == "completed"]
    frames = [evidence.tables.frame(run, plot.of) for run in runs]
    found = [matching(frame, plot.where) for frame in frames if frame is not None]

    return over_seeds(found, plot.x, plot.y)


def _ends(arm: str, part: Any) -> str:
    means: Any = part["mean"]

    return f"{arm} from {number(means.iloc[0], 3)} to {number(means.iloc[-1], 3)}"


def _score(tried: Mapping[str, Any], best: bool) -> Cell:
    failed = f"{tried['failed']} of {tried['networks']} failed" if tried["failed"] else ""
    told = failed or number(tried["score"])

    return Cell(f"{told} (best)" if best else told, (tried["score"],), kind="best" if best else "")


def _titled(metric: Metric) -> str:
    return f"{metric.words} ({metric.unit})" if metric.unit else metric.words


def _labelled(metric: Metric) -> str:
    """Breaks the title of a metric into lines that fit below a panel."""

    return textwrap.fill(_titled(metric), 44)


def _means(values: Mapping[str, np.ndarray], log: bool) -> str:
    return _several([f"{arm} {interval(*of_mean(own, log))}" for arm, own in values.items()]) + "."


def _several(told: Sequence[str]) -> str:
    more = f"; {len(told) - TOLD} more in the table" if len(told) > TOLD else ""

    return "; ".join(told[:TOLD]) + more
