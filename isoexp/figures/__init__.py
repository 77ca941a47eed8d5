"""Figures of the probes' tables, for a file, W&B or a paper. No torch: they draw from parquet.

Each has a module of its own with a function draw(table, figure), which draws a table, as the probe
wrote it, on an empty matplotlib figure.
"""

__all__ = ["FIGURES", "draw", "draw_beside", "missing", "save"]

import io
import textwrap
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..store.files import write_bytes
from . import (
    agreement,
    alignment,
    compression,
    connectivity,
    continuity,
    cost,
    decisions,
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

MARGIN_INCHES = 0.1

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
    "cost": cost.draw,
    "decisions": decisions.draw,
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

    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # No pyplot: it takes longer to import, and looks for a display.
    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    FigureCanvasAgg(figure)  # keeps its renderer, and with it the sizes of texts
    how(table, figure)
    if caption:  # below the figure as it is laid out
        _lay_out(figure)
        wrapped = textwrap.fill(caption, width=int(18 * figure.get_figwidth()))
        figure.text(0.5, -0.01, wrapped, **CAPTION)

    return figure


def save(how: Draw, table: "pd.DataFrame", path: Path, caption: str = "") -> None:
    """Draws a table into a PNG file."""

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of axes without a number: the table says so
        figure = draw(how, table, caption)
        _lay_out(figure)
        # Measured here and not by savefig, which draws all of it once more for that.
        box = figure.get_tightbbox().padded(MARGIN_INCHES)
        content = io.BytesIO()
        figure.savefig(content, format="png", bbox_inches=box)
    write_bytes(path, content.getvalue())


def missing(run: Path, again: bool = False) -> list[Path]:
    """Returns the tables in the folder of a run that have a figure here, which is not drawn yet.

    Arguments:
        run: The folder.
        again: Whether to return those whose figures are drawn, too.
    """

    return [
        path
        for path in sorted(run.glob("probes/*.parquet"))
        if path.stem in FIGURES
        and (again or not path.with_suffix(".png").exists())
        and not _empty(path)
    ]


def draw_beside(path: Path, caption: str, how: Draw | None = None) -> str | None:
    """Draws the figure of a stored table beside it; returns why, if that fails.

    Arguments:
        path: The table. Without rows it has no figure.
        caption: What stands below.
        how: What draws it; unless given, what draws tables of that name.
    """

    import pandas as pd

    how = how or FIGURES.get(path.stem)
    said = path.with_suffix(".figure-error.txt")
    try:
        table = pd.read_parquet(path)
        if how is not None and len(table):
            save(how, table, path.with_suffix(".png"), caption)
    except Exception as error:  # a broken matplotlib loses no numbers
        said.write_text(traceback.format_exc(), encoding="utf-8")
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    said.unlink(missing_ok=True)

    return None


def _empty(path: Path) -> bool:
    """Whether a table has no rows; one that cannot be read has, for all that is known."""

    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return not pq.read_metadata(path).num_rows
    except (pa.ArrowException, OSError):
        return False


def _lay_out(figure: "Figure") -> None:
    """Lays a figure out once and for all, legends outside of its axes included."""

    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
        for legend in figure.legends:
            legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
