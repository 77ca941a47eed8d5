"""Figures of the probes' tables, for a file, W&B or a paper. No torch: they draw from parquet.

Each has a module of its own with a function draw(table, figure), which draws a table, as the probe
wrote it, on an empty matplotlib figure.
"""

__all__ = ["FIGURES", "draw", "save"]

import textwrap
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import (
    agreement,
    alignment,
    compression,
    connectivity,
    continuity,
    equivariance,
    locking,
    ood_magnitude,
    refraction,
    spectrum,
)

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CAPTION: dict[str, Any] = {
    "fontsize": 6, "color": "0.4", "family": "monospace", "ha": "center", "va": "top",
}  # fmt: skip

Draw = Callable[["pd.DataFrame", "Figure"], None]

FIGURES: dict[str, Draw] = {
    "agreement": agreement.draw,
    "refraction": refraction.draw,
    "spectrum": spectrum.draw,
    "ood_magnitude": ood_magnitude.draw,
    "alignment": alignment.draw,
    "compression": compression.draw,
    "connectivity": connectivity.draw,
    "continuity": continuity.draw,
    "equivariance": equivariance.draw,
    "locking": locking.draw,
}
"""The figure of each probe's table, by the name of the table."""


def draw(how: Draw, table: "pd.DataFrame", caption: str = "") -> "Figure":
    """Returns the figure of a table.

    Arguments:
        how: What draws it.
        table: The rows, as a probe wrote them.
        caption: What stands below: the command that made the rows.
    """

    from matplotlib.figure import Figure

    # No pyplot: it takes longer to import, and looks for a display.
    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    how(table, figure)
    if caption:  # below the figure as it is laid out, legends outside of its axes included
        figure.draw_without_rendering()
        figure.set_layout_engine("none")
        for legend in figure.legends:
            legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
        wrapped = textwrap.fill(caption, width=int(18 * figure.get_figwidth()))
        figure.text(0.5, -0.01, wrapped, **CAPTION)

    return figure


def save(how: Draw, table: "pd.DataFrame", path: Path, caption: str = "") -> None:
    """Draws a table into a PNG file."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of axes without a number: the table says so
        draw(how, table, caption).savefig(path, bbox_inches="tight")
