"""The figure of the probe spectrum."""

__all__ = ["draw"]

from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np

from .style import COLORS, CONTROL, UNTRAINED, short, title, trained

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COURSES = {
    "effective_rank": "effective rank of activations",
    "gain": "gain of activations",
    "saturated_fraction": "saturated share of directions",
    "gradient_norm": "‖∂L/∂h‖ of a sample",
}
"""What is shown over training, of each layer."""


def draw(table: "pd.DataFrame", figure: "Figure") -> None:
    """Singular values after and before training; ranks, gains and gradients in its course."""

    figure.set_size_inches(9.6, 5.6)
    grid = figure.subplots(2, 3)
    whose = table["of"]
    _spectra(grid[0, 0], table.loc[whose == "activations"], "singular values of activations")
    _spectra(grid[1, 0], table.loc[whose == "weights"], "singular values of weights")
    for axes, (measure, what) in zip(grid[:, 1:].flat, COURSES.items(), strict=True):
        _course(axes, table.loc[(whose == "activations") & (table["measure"] == measure)], what)
    grid[1, 2].set_yscale("log")
    for axes in (*grid[0, 1:], grid[1, 1]):
        axes.set_ylim(bottom=0)

    _legend(grid[0, 0])
    _legend(grid[1, 0])
    figure.suptitle(title(table, "Spectra of activations and weights", "vectors"), fontsize=10)


def _spectra(axes: "Axes", table: "pd.DataFrame", what: str) -> None:
    """σ_k by k, and of the untrained network in grey."""

    table = table.loc[table["measure"] == "singular_value"]
    if "network" in table:
        for _, rows in table[table["network"] == UNTRAINED].groupby("layer", sort=False):
            axes.plot(rows["index"], rows["value"], "--", **CONTROL, zorder=0)
        axes.plot([], [], "--", **CONTROL, label=UNTRAINED)
    layers = trained(table).groupby("layer", sort=False)
    for color, (layer, rows) in zip(cycle(COLORS), layers, strict=False):
        name = short(str(layer).removesuffix(".weight")).removesuffix(".linear")
        axes.plot(rows["index"], rows["value"], color=color, label=name)

    top = float(np.nanmax(np.asarray(table["value"]), initial=0.0)) or 1.0
    low = float(np.nanmin(np.asarray(table["value"]), initial=top))
    axes.set(yscale="log", xlabel="k", title=what, ylim=(max(low, 1e-4 * top) / 1.5, 1.5 * top))
    axes.title.set_fontsize(9)


def _course(axes: "Axes", table: "pd.DataFrame", what: str) -> None:
    """A number over the updates, a line a layer; a dot, where there was one network only."""

    for color, (_, rows) in zip(cycle(COLORS), table.groupby("layer", sort=False), strict=False):
        steps = rows["step"] if "step" in rows else np.zeros(len(rows))
        axes.plot(steps, rows["value"], ".-", color=color)

    axes.set_xscale("symlog", linthresh=1)
    axes.set(xlabel="update", title=what)
    axes.title.set_fontsize(9)


def _legend(axes: "Axes") -> None:
    """Names the layers, unless they are too many for the panel."""

    handles, labels = axes.get_legend_handles_labels()
    if len(labels) <= 8:
        axes.legend(handles, labels, fontsize=7)
