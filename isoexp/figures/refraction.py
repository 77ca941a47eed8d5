"""The figure of the probe refraction."""

__all__ = ["draw"]

from typing import TYPE_CHECKING

import numpy as np

from .style import CONTROL, UNTRAINED, colored, short, title

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "theta_mean_rad": "static: θ(α), image to ray (rad)",
    "dynamic_mean_rad": "dynamic: image to first image (rad)",
    "turn_mean_rad": "turning (rad per e-fold of α)",
    "pair_mean_rad": "two rays' images apart (rad)",
}
"""What the panels show, each the mean over rays."""


def draw(table: "pd.DataFrame", figure: "Figure") -> None:
    """Static and dynamic refraction, turning and separability, on random rays and the data's."""

    figure.set_size_inches(7.2, 6.0)
    grid = figure.subplots(2, 2, sharex=True).flat
    for axes, (column, what) in zip(grid, PANELS.items(), strict=True):
        _lines(axes, table, column)
        axes.set(xscale="log", title=what)
        axes.title.set_fontsize(9)
        if column == "pair_mean_rad":
            axes.set_ylim(bottom=0)
        else:
            axes.set_ylim(-0.01, max(0.05, axes.get_ylim()[1]))  # rounding looks like zero
    for axes in figure.axes[2:]:
        axes.set_xlabel("magnitude α")

    handles, labels = figure.axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, loc="outside lower center", ncols=4)
    largest = np.nanmax(np.asarray(table["theta_max_rad"]), initial=0.0)
    figure.suptitle(
        title(table, f"Refraction (Eqns 3–7), θ at most {largest:.2g} rad", "rays a point"),
        fontsize=10,
    )


def _lines(axes: "Axes", table: "pd.DataFrame", column: str) -> None:
    """A line a layer for random rays and one for the data's directions; a dot for the data."""

    for color, (layer, rows) in colored(table, "layer"):
        for kind, style in (("random", "-"), ("data", "--")):
            part = rows[rows["rays"] == kind]
            label = short(layer) if kind == "random" else None
            axes.plot(part["alpha"], part[column], style, color=color, label=label)
        own = rows[rows["rays"] == "data_own"]
        axes.plot(own["alpha"], own[column], "o", color=color, markersize=5)
    for style, what in (("-", "random rays"), ("--", "data rays"), ("o", "data as it is")):
        axes.plot([], [], style, color=CONTROL["color"], label=what)

    if "network" in table:
        control = table[(table["network"] == UNTRAINED) & (table["rays"] == "data_own")]
        axes.plot(control["alpha"], control[column], "x", **CONTROL, label="untrained, as it is")
