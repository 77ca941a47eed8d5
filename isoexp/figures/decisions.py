"""The figure of the probe decisions."""

__all__ = ["draw"]

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, UNTRAINED, title, trained, untrained

SHARES = {
    "accuracy": "accuracy", "linear_accuracy": "accuracy of L",
    "agreement": "same decision", "undecided": "undecided",
}  # fmt: skip

ANGLES = {"angle_mean_rad": "mean", "angle_max_rad": "largest"}

SMALLEST = 1e-17
"""Where an angle of zero is shown."""


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws shares of samples, and the angle between the outputs and L x."""

    shares, angles = figure.subplots(1, 2, width_ratios=[2, 1])
    hollow = {"color": CONTROL["color"], "fillstyle": "none", "label": UNTRAINED}
    full = {"color": COLORS[0], "label": "trained"}

    for axes, names in ((shares, SHARES), (angles, ANGLES)):
        for part, look in ((untrained(table), hollow), (trained(table), full)):
            if len(part):
                value = part.set_index("what")["value"].reindex(list(names))
                shown = np.maximum(value, SMALLEST) if axes is angles else value
                axes.plot(range(len(names)), shown, "o", **look)
        axes.set_xticks(range(len(names)), list(names.values()), fontsize=8)
        axes.set_xlim(-0.5, len(names) - 0.5)
    shares.set(ylim=(-0.03, 1.03), ylabel="share of samples")
    shares.legend(fontsize=7)
    angles.set(yscale="log", ylim=(SMALLEST / 3, 10), ylabel="angle of outputs and L x (rad)")
    figure.suptitle(title(table, "Decisions, and those of L = W_L … W_1", "samples"), fontsize=10)
