"""The figure of the probe cost."""

__all__ = ["draw"]

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, name_layers, title, trained

FORMS = {"own": COLORS[0], "tanh": COLORS[1], "relu": CONTROL["color"]}


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws the times of the forms, with quartiles, and the memory each keeps, layer by layer."""

    figure.set_size_inches(9.0, 3.8)
    *timed, kept = figure.subplots(1, 3)
    rows = trained(table)

    passes = {"forward": "forward", "both": "forward and back"}
    for axes, (way, what) in zip(timed, passes.items(), strict=True):
        for i, (form, color) in enumerate(FORMS.items()):
            part = rows[(rows["form"] == form) & (rows["pass"] == way)]
            at = np.arange(len(part)) + 0.15 * (i - 1)
            axes.vlines(at, 1e3 * part["time_low_s"], 1e3 * part["time_high_s"], color=color)
            axes.plot(at, 1e3 * part["time_s"], "o", color=color, markersize=5, label=form)
        axes.set_title(what, fontsize=9)
        axes.set_ylim(bottom=0)
    timed[0].set_ylabel("time, median and quartiles (ms)")
    timed[0].legend(fontsize=7)

    for i, (form, color) in enumerate(FORMS.items()):
        part = rows[(rows["form"] == form) & (rows["pass"] == "both")]
        share = part["saved_bytes"] / (part["n"] * part["width"])
        kept.bar(np.arange(len(part)) + 0.25 * (i - 1), share, 0.25, color=color)
    kept.set_ylabel("bytes a coordinate")
    kept.set_title("kept for the pass back", fontsize=9)

    layers = list(rows["layer"].drop_duplicates())
    for axes in (*timed, kept):
        name_layers(axes, layers)
        axes.set_xlim(-0.6, len(layers) - 0.4)
    figure.suptitle(title(table, "Cost (Sec. 4.1)", "vectors"), fontsize=10)
