"""The figure of the probe refraction."""

__all__ = ["draw"]

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import CONTROL, colored, legend, short, title, untrained

PANELS = {
    "theta_mean_rad": "static: θ(α), image to ray (rad)",
    "dynamic_mean_rad": "dynamic: image to first image (rad)",
    "turn_mean_rad": "turning (rad per e-fold of α)",
    "pair_mean_rad": "two rays' images apart (rad)",
}
"""The columns of the panels, means over rays."""


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws refraction, turning and separability, on random rays and the data's."""

    figure.set_size_inches(7.2, 6.0)
    grid = figure.subplots(2, 2, sharex=True).flat
    control = untrained(table).query("rays == 'data_own'")
    for axes, (column, what) in zip(grid, PANELS.items(), strict=True):
        for color, (layer, rows) in colored(table, "layer"):
            for kind, style in (("random", "-"), ("data", "--")):
                part = rows[rows["rays"] == kind]
                label = short(layer) if kind == "random" else None
                axes.plot(part["alpha"], part[column], style, color=color, label=label)
            own = rows[rows["rays"] == "data_own"]
            axes.plot(own["alpha"], own[column], "o", color=color, markersize=5)
        for style, kind in (("-", "random rays"), ("--", "data rays"), ("o", "data as it is")):
            axes.plot([], [], style, color=CONTROL["color"], label=kind)
        if len(control):
            axes.plot(
                control["alpha"], control[column], "x", **CONTROL, label="untrained, as it is"
            )
        axes.set_xscale("log")
        axes.set_title(what, fontsize=9)
        if column == "pair_mean_rad":
            axes.set_ylim(bottom=0)
        else:
            axes.set_ylim(-0.01, max(0.05, axes.get_ylim()[1]))  # rounding looks like zero
    for axes in figure.axes[2:]:
        axes.set_xlabel("magnitude α")

    legend(figure.axes[0], "lower center", ncols=4)
    largest = np.nanmax(np.asarray(table["theta_max_rad"]), initial=0.0)
    what = f"Refraction (Eqns 3–7), θ at most {largest:.2g} rad"
    figure.suptitle(title(table, what, "rays a point"), fontsize=10)
