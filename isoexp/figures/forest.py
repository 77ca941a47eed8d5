"""Forests: an effect in each cell with its interval, and the mean over all below."""

__all__ = ["draw_forest", "forest"]

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from .arms import svg
from .style import COLORS, plain

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Interval = tuple[float, float, float]

BEYOND = 1.5
"""The reach of the axis beyond all effects, of their range: intervals of few seeds are wider."""

LARGEST, SMALLEST = 60.0, 12.0
"""The sizes of the marks of the most and of the least certain cell."""


def forest(
    cells: Sequence[tuple[str, Interval]], mean: Interval, predicted: Interval, margin: float,
    axis: str, ratio: bool,
) -> bytes:  # fmt: skip
    """Draws the effect in each cell, their mean, and where that of another cell would lie.

    Arguments:
        margin: The smallest effect that counts; of a ratio a factor.
        ratio: Whether effects are ratios, on a logarithmic axis.
    """

    rows = [
        *((name, "cell", *triple) for name, triple in cells),
        ("mean", "mean", *mean),
        ("another cell", "predicted", *predicted),
    ]
    table = pd.DataFrame(rows, columns=pd.Index(["cell", "kind", "effect", "low", "high"]))

    return svg(draw_forest, table.assign(margin=margin, axis=axis, ratio=ratio))


def draw_forest(table: pd.DataFrame, figure: "Figure") -> None:
    """Draws a row a cell, then the mean and the prediction.

    The table has cell, kind, effect, low and high, a row each; margin, axis and ratio of all.
    """

    ratio, margin = bool(table["ratio"].iloc[0]), float(table["margin"].iloc[0])
    forth = np.log if ratio else np.asarray
    values = {key: forth(table[key].to_numpy(float)) for key in ("effect", "low", "high")}
    m = float(forth(np.array(margin)))
    reach = BEYOND * max(float(np.ptp(np.append(values["effect"], 0.0))), m)
    low, high = (np.clip(values[key], -reach, reach) for key in ("low", "high"))
    figure.set_size_inches(7.2, 1.0 + 0.3 * len(table))
    axes = figure.subplots()
    axes.axvspan(-m, m, color="0.93", lw=0, zorder=0)
    axes.axvline(0.0, color="0.4", linewidth=0.8, zorder=1)

    # Marks have an area that goes with the certainty of a cell, as forests are read.
    width = np.maximum(high - low, 1e-300)[table["kind"] == "cell"]
    area = np.clip(LARGEST * (width.min() / width) ** 2, SMALLEST, LARGEST)
    for place, kind in enumerate(table["kind"]):
        color = COLORS[0] if kind == "cell" else "black"
        style: dict[str, Any] = {"dashes": (2, 2)} if kind == "predicted" else {}
        axes.plot([low[place], high[place]], [place, place], color=color, lw=1.4, **style)
        for end, mark in ((-reach, "<"), (reach, ">")):  # it goes on beyond
            if end in (low[place], high[place]):
                axes.plot([end], [place], mark, color=color, markersize=4)
        if kind != "predicted":
            how: dict[str, Any] = (
                {"marker": "s", "s": area[place]} if kind == "cell" else {"marker": "D", "s": 60}
            )
            axes.scatter([values["effect"][place]], [place], color=color, zorder=3, **how)
    axes.axhline(len(width) - 0.5, color="0.8", linewidth=0.8)
    axes.set_yticks(range(len(table)), [plain(name) for name in table["cell"]], fontsize=8)
    axes.set_ylim(len(table) - 0.5, -0.5)
    if ratio:
        axes.xaxis.set_major_formatter(lambda value, _: f"{np.exp(value):.3g}")
    axes.set_xlabel(plain(str(table["axis"].iloc[0])), fontsize=8)
    axes.tick_params(labelsize=8)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
