"""The figure of the probe alignment."""

__all__ = ["draw"]

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, legend, short, title, trained

BASES = {"standard": ("the standard basis", COLORS[1]), "own": ("its own basis", COLORS[2])}
"""The names and colours of the bases; the random ones are the control."""

QUARTERS = (0, 90, 180, 270, 360)


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws coordinates, spotlights and planes of unit activations, by basis, beside the null."""

    table = trained(table)
    layers = list(table.groupby("layer", sort=False))
    figure.set_size_inches(8.4, 1.1 + 2.3 * len(layers))
    grid = figure.add_gridspec(len(layers), 3)

    for row, (layer, rows) in enumerate(layers):
        coordinates, sweep = (figure.add_subplot(grid[row, column]) for column in (0, 1))
        unit = rows[rows["measure"] == "coordinate"]
        random = unit[unit["basis"] == "random"]
        t = np.asarray(random["at"])
        width = 2 / len(t)
        coordinates.plot(t, random["null"] / width, **CONTROL, label="null, exact")
        _draw_band(coordinates, t, random, width)
        for basis, (label, color) in BASES.items():
            part = unit[unit["basis"] == basis]
            if len(part):
                coordinates.step(t, part["value"] / width, color=color, where="mid", label=label)
        coordinates.set(xlabel="x̂·b̂", xlim=(-1, 1), ylim=(0, None), ylabel="density")
        _draw_sweep(sweep, rows)
        _draw_planes(figure, grid[row, 2], rows)
        coordinates.set_title(f"{short(layer)}: coordinates", fontsize=9)
        for axes in (coordinates, sweep):
            axes.tick_params(labelsize=8)

    legend(figure.axes[0], "lower center", ncols=len(BASES) + 2)
    figure.suptitle(title(table, "Alignment (Secs. 1, 2.3)", "samples"), fontsize=10)


def _draw_sweep(axes: Axes, rows: Any) -> None:
    rows = rows[rows["measure"] == "spotlight"]
    if not len(rows):
        return
    narrow, level = rows["null"].min(), rows["null"].max()
    axes.axhline(1.0, **CONTROL)
    for null, style in ((narrow, ":"), (level, "-")):
        each = rows[rows["null"] == null]
        for basis, (_, color) in BASES.items():
            part = each[each["basis"] == basis]
            axes.plot(np.degrees(part["at"]), part["ratio"], style, color=color)
    random = rows[(rows["null"] == level) & (rows["basis"] == "random")]
    _draw_band(axes, np.degrees(random["at"]), random, level)

    axes.set(xlabel="θ (°)", xticks=QUARTERS, ylabel="SRM / SRM₀", ylim=(0, None))
    axes.set_title(f"spotlight of {level:.0%} (dotted: {narrow:.0%})", fontsize=9)


def _draw_planes(figure: Figure, place: Any, rows: Any) -> None:
    """Draws the density of planes over that of isotropic data, of the own basis if there is one.

    Each shell outwards holds half of the isotropic data of the one before.
    """

    shells = rows[rows["measure"] == "plane"]
    basis = "own" if (shells["basis"] == "own").any() else "standard"
    by_share = list(shells[shells["basis"] == basis].groupby("threshold"))
    if not by_share:  # a single feature spans no plane
        return

    axes = figure.add_subplot(place, projection="polar")
    with np.errstate(divide="ignore"):
        ratio = np.log2(np.stack([np.asarray(part["ratio"]) for _, part in by_share]))
    step = 2 * np.pi / ratio.shape[1]
    angles = (np.arange(ratio.shape[1] + 1) - 0.5) * step
    image = axes.pcolormesh(
        angles, np.arange(len(by_share) + 1) + 1, np.clip(ratio, -3, 3),
        cmap="RdBu_r", vmin=-3, vmax=3,
    )  # fmt: skip
    axes.set_ylim(0, len(by_share) + 1)
    axes.set_yticks([])
    axes.set_xticks(np.radians(QUARTERS[:-1]), ["b̂ᵢ", "−b̂ⱼ", "−b̂ᵢ", "b̂ⱼ"], fontsize=7)
    axes.grid(False)
    axes.set_title(f"in planes of {BASES[basis][0]}", fontsize=9, color=BASES[basis][1])
    bar = figure.colorbar(image, ax=axes, shrink=0.7, ticks=[-3, 0, 3], pad=0.12)
    bar.set_label("density / isotropic", fontsize=7)
    bar.ax.set_yticklabels(["≤ ⅛", "1", "≥ 8"], fontsize=7)


def _draw_band(axes: Axes, at: Any, random: Any, unit: float) -> None:
    mean, sd = (np.asarray(random[column]) / unit for column in ("value", "value_sd"))
    axes.fill_between(at, mean - sd, mean + sd, color=COLORS[0], alpha=0.25, linewidth=0)
    axes.plot(at, mean, color=COLORS[0], label="Haar-random bases, ± s.d.")
