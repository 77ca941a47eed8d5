"""The figure of the probe compression."""

__all__ = ["draw"]

from typing import TYPE_CHECKING

import numpy as np

from .style import COLORS, CONTROL, UNTRAINED, short, title, trained

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

SMALLEST = 1e-17
"""Where an error of zero is shown."""


def draw(table: "pd.DataFrame", figure: "Figure") -> None:
    """The widths of layers and what they need of them; the error of the network so compressed."""

    widths, errors = figure.subplots(1, 2)
    rows = trained(table)
    at = np.arange(len(rows))

    widths.bar(at - 0.2, rows["width"], 0.4, color=CONTROL["color"], label="width")
    widths.bar(at + 0.2, rows["effective_width"], 0.4, color=COLORS[0], label="effective width")
    for i, (width, effective) in enumerate(
        zip(rows["width"], rows["effective_width"], strict=True)
    ):
        widths.annotate(str(width), (i - 0.2, width), ha="center", va="bottom", fontsize=7)
        widths.annotate(str(effective), (i + 0.2, effective), ha="center", va="bottom", fontsize=7)
    kept = rows["compressed_parameters"].sum() / rows["parameters"].sum()
    widths.set(ylabel="features")
    widths.margins(y=0.12)
    widths.set_title(f"{100 * kept:.3g} % of the parameters kept", fontsize=9)

    control = table[table["network"] == UNTRAINED] if "network" in table else table[:0]
    for part, style, what in ((rows, {}, ""), (control, CONTROL, ", untrained")):
        for column, marker, color, label in (
            ("forced_error", "x", COLORS[1], "every layer reduced"),
            ("relative_error", "o", COLORS[0], "where f commutes"),
        ):
            if len(part):
                look = {"color": color, "markersize": 5} | style
                shown = np.maximum(part[column], SMALLEST)
                errors.plot(at, shown, marker, **look, label=label + what, fillstyle="none")
    errors.set(yscale="log", ylabel="relative error")
    errors.set_ylim(SMALLEST / 3, 3.0)
    errors.set_title("change of what layers give", fontsize=9)

    for axes in (widths, errors):
        axes.set_xticks(at, [short(str(layer)) for layer in rows["layer"]], fontsize=7)
        axes.set_xlim(-0.6, len(rows) - 0.4)
        axes.legend(fontsize=6, loc="upper center", bbox_to_anchor=(0.5, -0.1), ncols=2)
    figure.suptitle(title(table, "Compression (Ganev et al. 2021)", "samples"))
