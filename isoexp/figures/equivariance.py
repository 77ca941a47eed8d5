"""The figure of the probe equivariance."""

__all__ = ["draw"]

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, UNTRAINED, legend, name_layers, title, trained, untrained

PANELS = {
    "layer": "f(gx) against g f(x), layer by layer",
    "network": "the network's outputs, with f acting in another basis",
}


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws the mean error by group and layer: of the layer itself, and of the network by it.

    Beside each are the error of the untrained network, hollow, and the level of rounding.
    """

    panels = [table.loc[table["of"] == of] for of in PANELS]
    counts = [len(set(part["layer"])) for part in panels]
    figure.set_figwidth(max(1.4 * figure.get_figwidth(), 4 + 0.45 * sum(counts)))
    grid = figure.subplots(1, 2, sharey=True, width_ratios=counts)
    for axes, part, what in zip(grid, panels, PANELS.values(), strict=True):
        rows, control = trained(part), untrained(part)
        layers = list(dict.fromkeys(rows["layer"]))
        groups = list(dict.fromkeys(rows["group"]))
        at = np.arange(len(layers))
        points = {"fmt": "o", "markersize": 4, "elinewidth": 1}
        for i, (group, color) in enumerate(zip(groups, COLORS, strict=False)):
            for own, shift, face, label in (
                (rows, -0.04, color, f"g from {group}"),
                (control, 0.04, "white", None),
            ):
                shown = own.loc[own["group"] == group]
                if len(shown) == len(layers):
                    look = {"color": color, "markerfacecolor": face, "label": label, **points}
                    place = at + 0.24 * (i - 1) + shift
                    axes.errorbar(place, shown["error_mean"], shown["error_sd"], **look)
        if len(control):
            hollow = {"color": "0.4", "markerfacecolor": "white", "markersize": 4}
            axes.plot([], [], "o", **hollow, label=UNTRAINED)
        rounding = rows.loc[rows["group"] == groups[0], "rounding"]
        axes.hlines(rounding, at - 0.42, at + 0.42, **CONTROL, label="rounding")
        name_layers(axes, layers, rotation=30, ha="right")
        axes.set_title(what, fontsize=9)

    threshold = np.nanmin(np.asarray(table["rounding"]), initial=1e-3) / 10
    grid[0].set_yscale("symlog", linthresh=threshold, linscale=0.6)
    grid[0].set_ylim(-0.3 * threshold, 4)
    grid[0].set_ylabel("relative error, mean ± s.d. over g")
    legend(grid[0], "right center")
    heading = title(table, "Equivariance (Eqn 12, corrected)", "vectors a layer")
    figure.suptitle(heading, fontsize=10)
