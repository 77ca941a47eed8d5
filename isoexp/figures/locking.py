"""The figure of the probe locking."""

__all__ = ["draw"]

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, title, trained

KINDS = {
    "random": ("in a random direction", "o"), "across": ("across the orbit", "s"),
    "tangent": ("along its tangent", "^"), "orbit": ("along the orbit", "D"),
}  # fmt: skip
"""The names and markers of perturbations."""


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws loss after a perturbation, after training on, and the share that returned, by size."""

    rows = trained(table)
    retrained = bool(np.isfinite(np.asarray(rows["loss_retrained"])).any())
    panels = {"loss_after": "loss, just perturbed"}
    if retrained:
        panels |= {"loss_retrained": "loss, trained on", "returned": "share returned"}
        figure.set_figwidth(max(figure.get_figwidth(), 8.4))
    grid = figure.subplots(1, len(panels), squeeze=False)[0]

    for axes, (column, label) in zip(grid, panels.items(), strict=True):
        for (kind, (name, marker)), color in zip(KINDS.items(), COLORS, strict=False):
            part = rows[rows["kind"] == kind]
            if len(part):
                means: Any = part.groupby("size")[column].mean()
                look = {"color": color, "markersize": 4, "markerfacecolor": "none"}
                axes.plot(means.index, means, marker=marker, label=name, **look)
        axes.set(xscale="log", xlabel="perturbation ‖δ‖ / ‖θ‖", ylabel=label)
        if column == "returned":
            axes.set_ylim(-0.05, 1.05)
            continue
        control = np.asarray(rows.loc[rows["kind"] == "none", column])
        axes.axhline(control.mean(), **CONTROL, label="unperturbed")
        axes.axhline(rows["loss_guess"].iloc[0], **CONTROL, linestyle=":", label="a guess")
        axes.set_yscale("log")

    if retrained:
        losses = np.asarray(rows[["loss_after", "loss_retrained"]]).ravel()
        losses = np.append(losses[np.isfinite(losses) & (losses > 0)], rows["loss_guess"].iloc[0])
        for axes in grid[:2]:
            axes.set_ylim(losses.min() / 1.5, losses.max() * 1.5)
    handles, labels = grid[0].get_legend_handles_labels()
    grid[-1].legend(handles, labels, fontsize=7)
    each = f"samples, {rows['draw'].nunique()} perturbations of a kind and size"
    figure.suptitle(title(table, "Locking (Sec. 2.2)", each))
