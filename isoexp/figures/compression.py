"""The figure of the probe compression."""

__all__ = ["draw"]

import numpy as np
import pandas as pd
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, name_layers, title, trained, untrained

SMALLEST = 1e-17
"""Where an error of zero is shown."""

ERRORS = (
    ("forced_error", "x", COLORS[1], "every layer reduced"),
    ("relative_error", "o", COLORS[0], "where f commutes"),
)

WIDTHS = ((-0.2, "width", CONTROL["color"]), (0.2, "effective_width", COLORS[0]))


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws the widths of layers, what they need of them, and the error after compression."""

    widths, errors = figure.subplots(1, 2)
    rows = trained(table)
    for shift, column, color in WIDTHS:
        at = np.arange(len(rows)) + shift
        widths.bar(at, rows[column], 0.4, color=color, label=column.replace("_", " "))
        for x, width in zip(at, rows[column], strict=True):
            widths.annotate(str(width), (x, width), ha="center", va="bottom", fontsize=7)
    kept = rows["compressed_parameters"].sum() / rows["parameters"].sum()
    widths.set(ylabel="features")
    widths.margins(y=0.12)
    widths.set_title(f"{100 * kept:.3g} % of the parameters kept", fontsize=9)

    for part, style, what in ((rows, {}, ""), (untrained(table), CONTROL, ", untrained")):
        for column, marker, color, label in ERRORS:
            if len(part):
                look = {"color": color, "markersize": 5, "fillstyle": "none"} | style
                shown = np.maximum(part[column], SMALLEST)
                errors.plot(range(len(rows)), shown, marker, **look, label=label + what)
    errors.set(yscale="log", ylabel="relative error")
    errors.set_ylim(SMALLEST / 3, 3.0)
    errors.set_title("change of what layers give", fontsize=9)

    for axes in (widths, errors):
        name_layers(axes, list(rows["layer"]))
        axes.set_xlim(-0.6, len(rows) - 0.4)
        axes.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
    figure.suptitle(title(table, "Compression (Ganev et al. 2021)", "samples"))
