"""Figures of arms, side by side: every seed a dot, or the mean over seeds as a curve."""

__all__ = [
    "DOT", "SPREAD", "be_logarithmic", "curves", "dots", "draw_curves", "draw_dots", "over_seeds",
    "svg",
]  # fmt: skip

import io
import re
import warnings
from collections.abc import Callable, Iterable, Sequence
from itertools import cycle
from math import ceil
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from ..statistics import mean_interval
from .style import COLORS, STYLES, default_settings, legend, plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

DOT: dict[str, Any] = {"s": 16, "alpha": 0.7, "linewidths": 0, "zorder": 3}

MANY = 2_000
"""Dots that a drawing holds one by one; more of them are a picture in it."""

SPREAD = 0.25
"""The reach of the dots of an arm, of the distance to the next arm."""

BESIDE = 0.4
"""The reach of an axis beyond the means for the sake of intervals, of the means' range."""

POINTS = 200
"""Places at which a curve is drawn, at most."""

SETTINGS: dict[Any, str] = {"svg.fonttype": "none", "svg.hashsalt": "isoexp"}
"""Letters stay letters, and the same numbers give the same file."""


Panel = tuple[str, bool, Iterable[tuple[str, np.ndarray]]]
"""A metric, whether it is compared by ratios, and its arms with their values by seed."""


def dots(panels: Iterable[Panel]) -> bytes | None:
    """Draws every finite value as a dot, beside the mean of its arm; None if there is none."""

    rows = [
        (metric, log, arm, value, *mean_interval(values, log))
        for metric, log, arms in panels
        for arm, values in arms
        for value in values[np.isfinite(values)]
    ]
    columns = pd.Index(["metric", "log", "arm", "value", "mean", "low", "high"])

    return svg(draw_dots, pd.DataFrame(rows, columns=columns)) if rows else None


def curves(parts: Sequence[pd.DataFrame], x: str, log_x: bool, log_y: Iterable[str]) -> bytes:
    """Draws a panel for each `panel` and a curve for each `arm` of tables from `over_seeds`.

    The x axis is named x; of the panels in log_y the y axis is logarithmic.
    """

    table = pd.concat(parts).assign(x_name=x, log_x=log_x)

    return svg(draw_curves, table.assign(log_y=table["panel"].isin([*log_y])))


def over_seeds(tables: Iterable[pd.DataFrame], x: str, y: str) -> pd.DataFrame:
    """Averages a column y at each value of a column x: x, mean, low, high.

    Rows of one x are averaged within a seed first; a seed that lacks a column is passed over.
    """

    seeds: list[Any] = []
    for table in tables:
        if x in table and y in table:
            # An α of 10 may have come out as 9.999… in one of them.
            place: Any = table[x].map(lambda value: float(f"{value:.6g}"))
            values: Any = table[y]
            seeds.append(values.groupby(place).mean().dropna())
    wide: Any = pd.concat(seeds, axis=1).sort_index() if seeds else pd.DataFrame()
    thinned = wide.iloc[:: max(1, -(-len(wide) // POINTS))]
    rows = [(float(x), *mean_interval(own)) for x, own in thinned.astype(float).iterrows()]

    return pd.DataFrame(rows, columns=pd.Index(["x", "mean", "low", "high"]))


def draw_dots(table: pd.DataFrame, figure: "Figure") -> None:
    """Draws a panel a metric: every seed a dot, the mean with its interval, arm by arm.

    The table has metric, log, arm, value, mean, low and high; a row a seed.
    """

    arms = list(dict.fromkeys(table["arm"]))
    metrics: Any = list(table.groupby("metric", sort=False))
    columns = min(2, len(metrics))
    rows = ceil(len(metrics) / columns)
    figure.set_size_inches(2.0 + 3.2 * columns, rows * (0.9 + 0.27 * len(arms)))
    grid = figure.subplots(rows, columns, squeeze=False, sharey=True).flat
    raster = len(table) > MANY

    for axes, (metric, part) in zip(grid, metrics, strict=False):
        for place, (arm, color) in enumerate(zip(arms, cycle(COLORS), strict=False)):
            own = part[part["arm"] == arm]
            if not len(own):
                continue
            mean, low, high = (float(own[key].iloc[0]) for key in ("mean", "low", "high"))
            if np.isfinite(low) and np.isfinite(high):
                axes.plot([low, high], [place, place], color="black", linewidth=1.2)
            axes.plot([mean], [place], "|", color="black", markersize=11, markeredgewidth=1.2)
            # Spread, so that equal ones are seen.
            around = np.linspace(-SPREAD, SPREAD, len(own)) if len(own) > 1 else np.zeros(1)
            axes.scatter(own["value"], place + around, color=color, rasterized=raster, **DOT)
        if part["log"].any() and (part["value"] > 0).all():
            be_logarithmic(axes)
        axes.set_xlabel(plain(metric), fontsize=8)
        axes.tick_params(which="both", labelsize=8)
        axes.grid(axis="x", color="0.92")
        axes.set_axisbelow(True)
    for axes in figure.axes[len(metrics) :]:
        axes.set_axis_off()
    first = figure.axes[0]
    first.set_yticks(range(len(arms)), [plain(arm) for arm in arms])
    first.set_ylim(len(arms) - 0.5, -0.5)


def draw_curves(table: pd.DataFrame, figure: "Figure") -> None:
    """Draws a panel a column: the mean over seeds of each arm, with its interval.

    The table has panel, arm, x, mean, low and high; x_name, and log_x and log_y of the axes.
    """

    arms = list(dict.fromkeys(table["arm"]))
    panels: Any = list(table.groupby("panel", sort=False))
    figure.set_size_inches(2.6 + 3.6 * len(panels), max(3.2, 0.6 + 0.19 * len(arms)))
    grid = figure.subplots(1, len(panels), squeeze=False)[0]

    for axes, (panel, part) in zip(grid, panels, strict=True):
        for place, (arm, color) in enumerate(zip(arms, cycle(COLORS), strict=False)):
            own = part[part["arm"] == arm].sort_values("x")
            style = STYLES[place // len(COLORS) % len(STYLES)]
            axes.plot(own["x"], own["mean"], style, color=color, label=plain(arm), lw=1.4)
            bounded = own[np.isfinite(own["low"]) & np.isfinite(own["high"])]
            band = (bounded[key] for key in ("x", "low", "high"))
            axes.fill_between(*band, color=color, alpha=0.15, lw=0)
        axes.set_xlabel(plain(part["x_name"].iloc[0]), fontsize=9)
        axes.set_ylabel(plain(panel), fontsize=9)
        axes.tick_params(labelsize=8)
        if part["log_x"].any():
            axes.set_xscale("log")
        log = bool(part["log_y"].any() and (part["mean"] > 0).all())
        axes.set_yscale("log" if log else "linear")
        axes.set_ylim(*_bounds(part, log))
    legend(grid[0], "right upper", fontsize=8, frameon=False)


def svg(how: Callable[[pd.DataFrame, "Figure"], None], table: pd.DataFrame) -> bytes:
    """Draws a table, by one of the two above, as an SVG that loads nothing from elsewhere."""

    content = io.BytesIO()
    with default_settings(**SETTINGS), warnings.catch_warnings():
        from matplotlib.backends.backend_svg import FigureCanvasSVG
        from matplotlib.figure import Figure

        warnings.simplefilter("ignore")  # of letters that a font has not: the reader's may
        figure = Figure(dpi=150, layout="constrained")
        FigureCanvasSVG(figure)
        how(table, figure)
        nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
        figure.savefig(content, format="svg", metadata=nothing)

    # Half the letters: no comments, no indents, hundredths of a point.
    drawing = content.getvalue().decode()
    drawing = re.sub(r"<!DOCTYPE[^>]*>|<!--.*?-->", "", drawing, flags=re.DOTALL)
    drawing = re.sub(r">\s+<", ">\n<", drawing)
    hundredths = lambda tag: re.sub(r"(\.\d\d)\d+", r"\1", re.sub(r"\s+", " ", tag[0]))

    return re.sub(r"<[^>]*>", hundredths, drawing).encode()


def _bounds(part: pd.DataFrame, log: bool) -> tuple[float, float]:
    """Chooses the ends of an axis: intervals of few seeds may be far wider than all means."""

    forth, back = (np.log, np.exp) if log else (np.asarray, np.asarray)
    means = forth(part["mean"].dropna())
    room = BESIDE * (np.ptp(means) or 1.0)
    with np.errstate(divide="ignore"):
        least = np.clip(part["low"], 0.0, None) if log else part["low"]
        low, high = np.nanmin(forth(least)), np.nanmax(forth(part["high"]))
    ends = max(low, means.min() - room) - room / 10, min(high, means.max() + room) + room / 10

    return float(back(ends[0])), float(back(ends[1]))


def be_logarithmic(axes: "Axes") -> None:
    """Makes an axis of values logarithmic; within two decades 2 and 5 are told, too."""

    from matplotlib.ticker import FuncFormatter, LogLocator

    axes.set_xscale("log")
    low, high = axes.get_xlim()
    if high < 100 * low:
        told = FuncFormatter(lambda value, _: f"{value:g}")
        axes.xaxis.set_major_formatter(told)
        axes.xaxis.set_minor_locator(LogLocator(subs=(2, 5)))
        axes.xaxis.set_minor_formatter(told)
