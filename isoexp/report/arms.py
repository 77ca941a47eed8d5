"""The arms of a claim: what each is, how it was tuned, what it measured, in tables and figures."""

__all__ = ["arms_table", "curve_figure", "metrics_figure", "tuning_table"]

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..figures import arms as drawing
from .cells import code, interval, measured, number, of_mean, text
from .claims import Curve, Metric
from .curves import over_seeds
from .document import Cell, Column, Figure, Table
from .evidence import Evidence
from .tables import matching

TOLD = 6
"""Arms that the text beside a figure names."""

Values = Mapping[str, Mapping[str, np.ndarray]]
"""Of each metric the values of each arm by seed, NaN where they are missing."""


def arms_table(evidence: Evidence, values: Values, name: str) -> Table:
    """Returns the table of arms: their words, what they were tuned to, their metrics."""

    claim = evidence.claim
    columns = [Column("arm"), Column("words")]
    if claim.tuning is not None:
        columns += [Column("tuned to"), Column("at the end of its grid")]
    columns += [measured(_titled(metric), key) for key, metric in claim.metrics.items()]

    rows = []
    for arm, words in claim.arms.items():
        row = [code(arm), code(" ".join(words))]
        if claim.tuning is not None:
            tuned = evidence.tuned.get(arm) or {}
            chosen = [f"{key}={value}" for key, value in (tuned.get("chosen") or {}).items()]
            edges = ", ".join(tuned.get("edges") or ()) or "no"
            row += [code(" ".join(chosen)), text(edges if chosen else "")]
        for key, metric in claim.metrics.items():
            own = values[key][arm]
            triple, n = of_mean(own, metric.log), int(np.isfinite(own).sum())
            row.append(Cell(f"{interval(*triple)}\nn = {n}", (*triple, n)))
        rows.append(row)

    caption = "The arms, and the mean of each metric over seeds with its 95 % t interval."
    if any(metric.log for metric in claim.metrics.values()):
        caption += " What is compared by ratios has its geometric mean."

    return Table(name, caption, columns, rows)


def tuning_table(evidence: Evidence, name: str) -> Table | None:
    """Returns what each combination of a grid scored, for each arm; None if none was tuned."""

    tuning, tuned = evidence.claim.tuning, evidence.tuned
    if tuning is None or not tuned:
        return None
    scores: dict[str, dict[str, Cell]] = {}
    for arm, each in tuned.items():
        for tried in each["tried"]:
            words = " ".join(f"{key}={value}" for key, value in tried["values"].items())
            best = tried["values"] == each["chosen"]
            scores.setdefault(words, {})[arm] = _score(tried, best)
    rows = [
        [code(words), *(own.get(arm, text("")) for arm in tuned)] for words, own in scores.items()
    ]
    caption = (
        f"Tuning: the mean {tuning.metric} of {tuning.seeds} networks of other seeds, for each "
        "combination of the grid. The best of each arm is what was compared."
    )

    return Table(
        name, caption, [Column("settings"), *(Column(a, number=True) for a in tuned)], rows
    )


def metrics_figure(evidence: Evidence, values: Values, name: str) -> Figure | None:
    """Returns the figure of the metrics: every seed a dot; None if nothing was measured."""

    rows = []
    for key, metric in evidence.claim.metrics.items():
        for arm, own in values[key].items():
            mean, low, high = of_mean(own, metric.log)
            rows += [
                (_labelled(metric), metric.log, arm, value, mean, low, high)
                for value in own[np.isfinite(own)]
            ]
    if not rows:
        return None
    columns = ["metric", "log", "arm", "value", "mean", "low", "high"]
    table = pd.DataFrame(rows, columns=pd.Index(columns))
    told = [
        f"{metric.words}: {_means(values[key], metric.log)}"
        for key, metric in evidence.claim.metrics.items()
    ]
    caption = "Every dot is a network; the bar is the mean over seeds with its 95 % t interval."
    if any(metric.log for metric in evidence.claim.metrics.values()):
        caption += " Logarithmic axes, geometric means: of what is compared by ratios."

    return Figure(name, drawing.svg(drawing.dots, table), "Dots by arm. " + " ".join(told), caption)


def curve_figure(evidence: Evidence, name: str) -> Figure | None:
    """Returns the figure that a claim asks for; None if it asks for none, or has no rows."""

    curve = evidence.claim.curve
    if curve is None:
        return None
    found = [_curve(evidence, curve, arm) for arm in curve.arms]
    parts = [each.assign(arm=arm) for arm, each in zip(curve.arms, found, strict=True) if len(each)]
    if not parts:
        return None
    table = pd.concat(parts).assign(panel=curve.y, x_name=curve.x, log_x=curve.log_x, log_y=False)
    ends = [_ends(arm, part) for arm, part in zip(curve.arms, found, strict=True) if len(part)]
    x = table["x"].to_numpy(dtype=float)
    reach = f"from {number(x.min(), 3)} to {number(x.max(), 3)}"
    alt = f"{curve.y} against {curve.x}, {reach}: {_several(ends)}."
    conditions = ", ".join(f"{key} {value}" for key, value in curve.where.items())
    of = f"the table of {curve.of}" + (f" where {conditions}" if conditions else "")
    caption = f"{curve.y} in {of}: the mean over seeds of each arm with its 95 % t interval."

    return Figure(name, drawing.svg(drawing.curves, table), alt, caption)


def _curve(evidence: Evidence, curve: Curve, arm: str) -> pd.DataFrame:
    """Returns the curve of an arm."""

    runs = [run for run in evidence.runs[arm].values() if run and run.status == "completed"]
    frames = [evidence.tables.frame(run, curve.of) for run in runs]
    found = [matching(frame, curve.where) for frame in frames if frame is not None]

    return over_seeds(found, curve.x, curve.y)


def _ends(arm: str, part: Any) -> str:
    """Returns where a curve begins and where it ends."""

    means: Any = part["mean"]

    return f"{arm} from {number(means.iloc[0], 3)} to {number(means.iloc[-1], 3)}"


def _score(tried: Mapping[str, Any], best: bool) -> Cell:
    """Returns the cell of a combination."""

    failed = f"{tried['failed']} of {tried['networks']} failed" if tried["failed"] else ""
    told = failed or number(tried["score"])

    return Cell(f"{told} (best)" if best else told, (tried["score"],), kind="best" if best else "")


def _titled(metric: Metric) -> str:
    return f"{metric.words} ({metric.unit})" if metric.unit else metric.words


def _labelled(metric: Metric) -> str:
    """Returns the title of a metric in lines that fit below a panel."""

    return textwrap.fill(_titled(metric), 44)


def _means(values: Mapping[str, np.ndarray], log: bool) -> str:
    return _several([f"{arm} {interval(*of_mean(own, log))}" for arm, own in values.items()]) + "."


def _several(told: Sequence[str]) -> str:
    more = f"; {len(told) - TOLD} more in the table" if len(told) > TOLD else ""

    return "; ".join(told[:TOLD]) + more
