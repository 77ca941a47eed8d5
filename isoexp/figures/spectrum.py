"""The figure of the probe spectrum."""

__all__ = ["draw"]

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import CONTROL, UNTRAINED, colored, short, title, untrained

COURSES = {
    "effective_rank": "effective rank of activations",
    "gain": "gain of activations",
    "saturated_fraction": "saturated share of directions",
    "gradient_norm": "‖∂L/∂h‖ of a sample",
}
"""The measures of each layer that are shown over training."""


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws singular values after and before training; ranks, gains and gradients in its course."""

    figure.set_size_inches(9.6, 5.6)
    grid = figure.subplots(2, 3)
    for axes, of in zip(grid[:, 0], ("activations", "weights"), strict=True):
        _draw_values(axes, table.loc[table["of"] == of])
        axes.set_title(f"singular values of {of}", fontsize=9)
        if len(axes.get_legend_handles_labels()[1]) <= 8:  # more do not fit
            axes.legend(fontsize=7)

    activations = table.loc[table["of"] == "activations"]
    activations = activations.drop(columns="network", errors="ignore")  # shown in their course
    for axes, (measure, what) in zip(grid[:, 1:].flat, COURSES.items(), strict=True):
        course = activations.loc[activations["measure"] == measure]
        for color, (_, rows) in colored(course, "layer"):
            steps = rows["step"] if "step" in rows else np.zeros(len(rows))
            axes.plot(steps, rows["value"], ".-", color=color)
        axes.set_xscale("symlog", linthresh=1)
        axes.set_xlabel("update")
        axes.set_title(what, fontsize=9)
    grid[1, 2].set_yscale("log")
    for axes in (*grid[0, 1:], grid[1, 1]):
        axes.set_ylim(bottom=0)
    figure.suptitle(title(table, "Spectra of activations and weights", "vectors"), fontsize=10)


def _draw_values(axes: Axes, table: pd.DataFrame) -> None:
    """Draws σ_k by k, and in grey the values of the untrained network."""

    table = table.loc[table["measure"] == "singular_value"]
    control = untrained(table)
    for _, rows in control.groupby("layer", sort=False):
        axes.plot(rows["index"], rows["value"], "--", **CONTROL, zorder=0)
    if len(control):
        axes.plot([], [], "--", **CONTROL, label=UNTRAINED)
    for color, (layer, rows) in colored(table, "layer"):
        name = short(layer.removesuffix(".weight")).removesuffix(".linear")
        axes.plot(rows["index"], rows["value"], color=color, label=name)

    top = float(np.nanmax(np.asarray(table["value"]), initial=0.0)) or 1.0
    low = float(np.nanmin(np.asarray(table["value"]), initial=top))
    axes.set(yscale="log", xlabel="k", ylim=(max(low, 1e-4 * top) / 1.5, 1.5 * top))
