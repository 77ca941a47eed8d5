"""The figure of the probe agreement."""

__all__ = ["draw"]

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, legend, short, title, trained, untrained

MAPS = {
    "orthogonal": "orthogonal",
    "signed": "signed permutation", "signed_turned": "… in a random basis",
    "permutation": "permutation", "permutation_turned": "… in a random basis",
    "identity": "identity",
}  # fmt: skip
"""The names of maps, the best at the top."""


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws what each map leaves unexplained and what it finds again, a column a layer."""

    sites: Any = list(trained(table).groupby(["things", "layer"], sort=False))
    before = untrained(table)
    figure.set_size_inches(max(figure.get_figwidth(), 1.9 + 2.0 * len(sites)), 4.6)
    grid = figure.subplots(2, len(sites), squeeze=False, sharey=True, sharex="row")

    for column, ((things, layer), rows) in zip(grid.T, sites, strict=True):
        same = (before["things"] == things) & (before["layer"] == layer)
        for axes, measure in zip(column, ("residual", "retrieval"), strict=True):
            _show(axes, before.loc[same], measure, "o", None)
            _show(axes, rows, measure, "o", COLORS[0])
            if measure == "retrieval" and things == "words":
                _show(axes, rows, "translation", "D", COLORS[1])
            axes.set_xlim(left=-0.05)
            axes.grid(axis="x", color="0.92")
            axes.tick_params(labelsize=8)
        where = "words, read by" if things == "words" else "samples in"
        column[0].set_title(f"{where}\n{short(layer)}", fontsize=9)
        column[0].set_xlabel("residual ‖A − sBQ‖² / ‖A‖²", fontsize=8)
        column[1].set_xlabel("share that is nearest to itself", fontsize=8)
    for axes in grid[:, 0]:
        axes.set_yticks(range(len(MAPS)), list(MAPS.values()))
    first, grey = grid[0, 0], CONTROL["color"]
    first.invert_yaxis()

    first.plot([], [], "o", color=COLORS[0], markersize=5, label="trained")
    if "translation" in set(table["measure"]):
        first.plot([], [], "D", color=COLORS[1], markersize=5, label="words, without known pairs")
    first.plot([], [], color=grey, linewidth=6, label="shuffled")
    if len(before):
        first.plot([], [], "o", markerfacecolor="none", markeredgecolor=grey, label="untrained")
    legend(first, "lower center", ncols=4)
    figure.suptitle(title(table, "Agreement of twins (App. F.2)", "samples a half"), fontsize=10)


def _show(axes: Axes, rows: pd.DataFrame, measure: str, marker: str, color: str | None) -> None:
    """Draws a point a map, with the range of its controls in grey; hollow, without a colour."""

    part: Any = rows.loc[rows["measure"] == measure].set_index("map")
    part = part.reindex([name for name in MAPS if name in part.index])
    at = [list(MAPS).index(name) for name in part.index]
    if color is not None:
        axes.hlines(at, part["control_low"], part["control_high"], color=CONTROL["color"], lw=6)
    look = {"markerfacecolor": color or "none", "markeredgecolor": color or CONTROL["color"]}
    axes.plot(part["value"], at, marker, **look, markersize=5)
