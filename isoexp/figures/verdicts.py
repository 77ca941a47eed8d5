"""Figures of claims: all effects in units of their margins, and the contrasts of one claim by seed.

Outcomes differ by colour and by marker, so that neither is needed to tell them apart.
"""

__all__ = ["draw_contrasts", "draw_effects"]

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .arms import DOT, SPREAD, be_logarithmic
from .style import plain

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = {
    "supported": ("#0072b2", "o"), "contradicted": ("#d55e00", "X"),
    "no effect": ("#b0558f", "s"), "inconclusive": ("#777777", "D"),
}  # fmt: skip
"""The colour and the marker of each outcome."""

LINEAR = 3.0
"""Margins up to which the axis is linear; it is logarithmic beyond."""

LEAST, MOST = 3.0, 1000.0
"""The reach of the axis, in margins."""

GAP = 0.55
"""Between two claims, in rows."""

ROW = 0.128
"""The height of a row, in inches."""


def draw_effects(table: pd.DataFrame, figure: "Figure") -> None:
    """Draws the effects that decide claims in units of their margins, a row a comparison.

    The table has claim, outcome, label, verdict, confirmed, value, low, high, and `bounds`, whether
    low and high are an interval and not the range of all values. Names have the claims' colours.
    """

    places, heads = _places(table)
    bottom = max(places) + 0.9
    figure.set_size_inches(6.4, 1.15 + ROW * (bottom + 1))
    axes = figure.subplots()
    found = table[["value", "low", "high"]].to_numpy(dtype=float)
    found = found[np.isfinite(found)]
    left, right = (
        np.clip(1.3 * end(found, initial=0.0), *ends)
        for end, ends in ((np.min, (-MOST, -LEAST)), (np.max, (LEAST, MOST)))
    )
    axes.set_xscale("symlog", linthresh=LINEAR, linscale=1.5)
    axes.set_xlim(left, right)
    axes.axvspan(-1, 1, color="0.92", lw=0, zorder=0)
    axes.axvline(0, color="0.35", lw=0.9, zorder=1)
    for end in (-1, 1):
        axes.axvline(end, color="0.35", lw=0.8, ls=(0, (4, 3)), zorder=1)

    for place, row in zip(places, table.itertuples(), strict=True):
        _effect(axes, place, row, left, right)
    for first in list(heads.values())[1:]:
        axes.axhline(first - 0.5 - GAP / 2, color="0.85", lw=0.6, zorder=0)
    _name(axes, table, places, heads)
    axes.set_ylim(bottom, -1.3)
    ticks = [-1000, -300, -100, -30, -10, -3, -2, -1, 0, 1, 2, 3, 10, 30, 100, 300, 1000]
    kept = [tick for tick in ticks if left <= tick <= right]
    axes.set_xticks(kept, [f"{tick:g}".replace("-", "−") for tick in kept])
    axes.minorticks_off()
    axes.tick_params(axis="x", labelsize=7, labeltop=bottom > 20, top=bottom > 20)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("effect in units of its margin", fontsize=8)
    for x, told, side in ((0.0, "← reverse", "left"), (1.0, "as expected →", "right")):
        axes.annotate(told, (x, 1.0), (0, -3), textcoords="offset points", xycoords="axes fraction",
                      ha=side, va="top", fontsize=7, style="italic", color="0.4")  # fmt: skip
    for side in ("left", "right"):
        axes.spines[side].set_visible(False)
    _key(figure, table)


def draw_contrasts(table: pd.DataFrame, figure: "Figure") -> None:
    """Draws a panel a metric: of each comparison every seed, the mean, interval and margins.

    The table has panel, row, log, label, verdict, value, mean, low and high (NaN without an
    interval), null, and below and above, the ends of what does not count; a line a seed.
    """

    panels: Any = list(table.groupby("panel", sort=False))
    sizes = [part["row"].nunique() for _, part in panels]
    figure.set_size_inches(6.6, sum(0.62 + 0.38 * n for n in sizes) + 0.35)
    grid = figure.subplots(len(panels), 1, squeeze=False, height_ratios=[n + 0.8 for n in sizes])
    for axes, (panel, part) in zip(grid[:, 0], panels, strict=True):
        rows = [own for _, own in part.groupby("row")]
        labels = [own["label"].iloc[0] for own in rows]
        for place, own in enumerate(rows):
            _contrast(axes, place, own)
        if part["log"].any():
            be_logarithmic(axes)
        axes.set_yticks(range(len(labels)), [plain(each) for each in labels], fontsize=8)
        axes.set_ylim(len(labels) - 0.5, -0.5)
        axes.set_xlabel(plain(panel), fontsize=8)
        axes.tick_params(which="both", labelsize=8)
        axes.tick_params(axis="y", length=0)
        axes.spines[["top", "right", "left"]].set_visible(False)


def _effect(axes: "Axes", place: float, row: Any, left: float, right: float) -> None:
    """Draws an effect; what lies beyond the axis is at its end, with an arrow."""

    color, marker = LOOKS[row.verdict]
    if np.isnan(row.value):
        look = {"fontsize": 6.5, "style": "italic", "color": color, "ha": "center", "va": "center"}
        behind = {"facecolor": "0.92", "edgecolor": "none", "pad": 0.5}
        axes.text(0, place, "not known", bbox=behind, **look)
        return
    value, low, high = np.clip([row.value, row.low, row.high], left, right)
    if not np.isnan(low):
        width = 1.6 if row.bounds else 0.7
        axes.plot([low, high], [place, place], color=color, lw=width, solid_capstyle="butt")
    face = color if row.confirmed else "white"
    look = {"markeredgewidth": 1.1, "clip_on": False, "zorder": 4, "color": color}
    axes.plot([value], [place], marker, markersize=4.8, markerfacecolor=face, **look)
    for end, way, given in ((left, "<", row.low), (right, ">", row.high), (right, ">", row.value)):
        if (given < end) if way == "<" else (given > end):
            axes.plot([end], [place], way, markersize=4, **look)


def _places(table: pd.DataFrame) -> tuple[list[float], dict[str, float]]:
    """Returns the place of each row, and that of the name of each claim."""

    places: list[float] = []
    heads: dict[str, float] = {}
    place = -1.0
    for claim, part in table.groupby("claim", sort=False):
        first = place + 1 + (GAP if places else 0)
        place = first if len(part) > 1 else first - 1
        for _ in range(len(part)):
            place += 1
            places.append(place)
        heads[str(claim)] = first

    return places, heads


def _name(axes: "Axes", table: pd.DataFrame, places: list[float], heads: dict[str, float]) -> None:
    """Names rows; a claim of one comparison has the row of its name alone."""

    outcomes = dict(zip(table["claim"], table["outcome"], strict=True))
    named = {place: (claim, LOOKS[outcomes[claim]][0]) for claim, place in heads.items()}
    for place, label in zip(places, table["label"], strict=True):
        named.setdefault(place, (label, ""))
    ticks = sorted(named)
    axes.set_yticks(ticks, [plain(named[place][0]) for place in ticks])
    for place, text in zip(ticks, axes.get_yticklabels(), strict=True):
        head = named[place][1]
        text.set(fontsize=7.2 if head else 6.5, fontweight="bold" if head else "normal")
        text.set_color(head or "0.25")


def _key(figure: "Figure", table: pd.DataFrame) -> None:
    """Explains markers: those of the outcomes that there are, and what hollow ones mean."""

    from matplotlib.lines import Line2D

    shown = [outcome for outcome in LOOKS if outcome in set(table["verdict"])]
    look = {"ls": "", "markersize": 5.2, "markeredgewidth": 1.2}
    found = []
    for outcome in shown:
        color, marker = LOOKS[outcome]
        found.append(Line2D([], [], color=color, marker=marker, label=outcome, **look))
    for face, told, confirmed in (("0.3", "confirmed", True), ("white", "not confirmed", False)):
        if confirmed in set(table["confirmed"]):
            look["markerfacecolor"] = face
            found.append(Line2D([], [], color="0.3", marker="o", label=told, **look))
    for mark, told in (("†", "amended"), ("‡", "not as planned")):
        if table["claim"].str.contains(mark).any():
            found.append(Line2D([], [], ls="", label=f"{mark} {told}"))
    figure.legend(
        handles=found, loc="outside upper center", ncols=4, fontsize=7.5, frameon=False,
        handletextpad=0.1, columnspacing=1.2,
    )  # fmt: skip


def _contrast(axes: "Axes", place: float, own: pd.DataFrame) -> None:
    """Draws a comparison: its margins shaded, its dots, and below them mean and interval."""

    first = own.iloc[0]
    color, marker = LOOKS[first["verdict"]]
    top, bottom = place - 0.42, place + 0.42
    below, above = float(first["below"]), float(first["above"])
    axes.fill_between([below, above], top, bottom, color="0.92", lw=0, zorder=0)
    for end in dict.fromkeys((below, above)):
        axes.plot([end, end], [top, bottom], color="0.45", lw=0.9, ls=(0, (3, 2)), zorder=1)
    axes.plot([first["null"]] * 2, [top, bottom], color="0.25", lw=1.0, zorder=1)
    around = np.linspace(-SPREAD, SPREAD / 3, len(own)) if len(own) > 1 else np.zeros(1)
    axes.scatter(own["value"], place + around, color=color, **DOT)
    if np.isfinite(first["low"]) and np.isfinite(first["high"]):
        axes.plot([first["low"], first["high"]], [place + 0.25] * 2, color="black", lw=1.3)
    if np.isfinite(first["mean"]):
        axes.plot([first["mean"]], [place + 0.25], marker, color=color, markersize=6,
                  markeredgecolor="black", markeredgewidth=0.8, zorder=4)  # fmt: skip
