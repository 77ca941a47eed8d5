"""The figure of the probe equivariance."""

__all__ = ["draw"]

from typing import TYPE_CHECKING

import numpy as np

from .style import COLORS, CONTROL, UNTRAINED, short, title, trained

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PANELS = {
    "layer": "f(gx) against g f(x), layer by layer",
    "network": "the network's outputs, with f acting in another basis",
}


def draw(table: "pd.DataFrame", figure: "Figure") -> None:
    """Mean error by group and layer: of the layer itself, and of the network by it.

    Beside each is that of the untrained network, hollow, and the level of rounding.
    """

    panels = [table.loc[table["of"] == of] for of in PANELS]
    counts = [len(set(part["layer"])) for part in panels]
    figure.set_figwidth(max(1.4 * figure.get_figwidth(), 4 + 0.45 * sum(counts)))
    grid = figure.subplots(1, 2, sharey=True, width_ratios=counts)
    for axes, part, what in zip(grid, panels, PANELS.values(), strict=True):
        _draw_errors(part, axes)
        axes.set_title(what, fontsize=9)

    threshold = np.nanmin(np.asarray(table["rounding"]), initial=1e-3) / 10
    grid[0].set_yscale("symlog", linthresh=threshold, linscale=0.6)
    grid[0].set_ylim(-0.3 * threshold, 4)
    grid[0].set_ylabel("relative error, mean ± s.d. over g")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, loc="outside right center")
    figure.suptitle(
        title(table, "Equivariance (Eqn 12, corrected)", "vectors a layer"), fontsize=10
    )


def _draw_errors(table: "pd.DataFrame", axes: "Axes") -> None:
    rows = trained(table)
    control = table.loc[table["network"] == UNTRAINED] if "network" in table else table[:0]
    layers = list(dict.fromkeys(rows["layer"]))
    groups = list(dict.fromkeys(rows["group"]))
    at = np.arange(len(layers))

    for i, (group, color) in enumerate(zip(groups, COLORS, strict=False)):
        for part, face, label in ((rows, color, f"g from {group}"), (control, "white", None)):
            shown = part.loc[part["group"] == group]
            if len(shown) == len(layers):
                axes.errorbar(
                    at + 0.24 * (i - 1) + (0.04 if label is None else -0.04),
                    shown["error_mean"],
                    shown["error_sd"],
                    fmt="o",
                    color=color,
                    markerfacecolor=face,
                    markersize=4,
                    elinewidth=1,
                    label=label,
                )
    if len(control):
        axes.plot(
            [], [], "o", color="0.4", markerfacecolor="white", markersize=4, label="untrained"
        )
    rounding = rows.loc[rows["group"] == groups[0], "rounding"]
    axes.hlines(rounding, at - 0.42, at + 0.42, **CONTROL, label="rounding")
    axes.set_xticks(
        at, [short(str(layer)) for layer in layers], rotation=30, ha="right", fontsize=7
    )
