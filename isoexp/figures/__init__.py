"""Figures of the probes' tables, for a file, W&B or a paper. No torch: they draw from parquet.

The metadata of a table names the function that draws it, "module:function". It is called with the
table, as the probe wrote it, and an empty matplotlib figure. The drawers of isoexp's own probes are
the modules of this package; style has their common parts, and arms, verdicts and forest what
reports draw.
"""

__all__ = ["draw", "draw_beside", "drawer", "find", "metadata", "missing", "save", "undrawn"]

import io
import textwrap
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..config.allowed import locate
from ..errors import UserError, failure
from ..store.files import write_bytes
from ..store.tables import read_table

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

KEY = b"isoexp.figure"

Draw = Callable[["pd.DataFrame", "Figure"], None]


def draw(how: Draw, table: "pd.DataFrame", caption: str = "") -> "Figure":
    """Draws a table, and below it a caption: the command that made the rows."""

    from .style import default_settings, plain

    with default_settings():
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        # No pyplot: it takes longer to import, and looks for a display.
        figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
        FigureCanvasAgg(figure)  # keeps its renderer, and with it the sizes of texts
        how(table, figure)
        if caption:  # below the figure as it is laid out
            _lay_out(figure)
            wrapped = textwrap.fill(plain(caption), width=int(18 * figure.get_figwidth()))
            look = {"fontsize": 6, "color": "0.4", "family": "monospace"}
            figure.text(0.5, -0.01, wrapped, ha="center", va="top", **look)

    return figure


def save(how: Draw, table: "pd.DataFrame", path: Path, caption: str = "") -> None:
    """Draws a table into a PNG file."""

    from .style import default_settings

    with warnings.catch_warnings(), default_settings():
        warnings.simplefilter("ignore")  # of axes without a number: the table says so
        figure = draw(how, table, caption)
        _lay_out(figure)
        # Measured here and not by savefig, which draws all of it once more for that.
        box = figure.get_tightbbox().padded(0.1)  # inches
        content = io.BytesIO()
        figure.savefig(content, format="png", bbox_inches=box)
    write_bytes(path, content.getvalue())


def metadata(figure: object) -> dict[bytes, bytes]:
    """Returns the metadata of a table whose drawer is named "module:function", or not at all."""

    return {KEY: str(figure).encode()} if figure else {}


def drawer(path: Path) -> str | None:
    """Returns the name of the function that draws a stored table, if one is known.

    It is read from the metadata. Older tables name none: a module here has the name of their probe.
    """

    footer = _footer(path)
    named = ((footer and footer.metadata) or {}).get(KEY, b"").decode()
    if named or path.stem in ("arms", "style", "verdicts"):
        return named or None

    own = Path(__file__).with_name(f"{path.stem}.py").is_file()

    return f"{__name__}.{path.stem}:draw" if own else None


def find(name: str) -> Callable[..., Any]:
    """Imports what is named "module:function".

    Raises:
        UserError: If it is of a package that is not allowed, or cannot be imported.
    """

    from .style import load_matplotlib

    module, colon, function = name.partition(":")
    if not (module and colon and function.isidentifier()):
        raise UserError(f"a figure must be named 'module:function', got {name!r}")
    load_matplotlib()
    found = locate(name, f"drawing needs {name}", own=f"{__name__}.")
    if not callable(found):
        raise UserError(f"drawing needs a function, and {name} is none")

    return found


def undrawn(run: Path, again: bool = False) -> dict[Path, str | None]:
    """Returns the drawer of each table that has rows, in the folder of a run; None where unknown.

    Tables that have a figure are returned only if again.
    """

    found = {}
    for path in sorted(run.glob("probes/*.parquet")):
        if again or not path.with_suffix(".png").exists():
            footer = _footer(path)
            if footer is None or footer.num_rows:  # drawing one that cannot be read says why
                found[path] = drawer(path)

    return found


def missing(run: Path) -> list[Path]:
    """Returns the tables in the folder of a run that lack the figure that they could have."""

    return [path for path, named in undrawn(run).items() if named]


def draw_beside(path: Path, caption: str, named: str | None = None) -> str | None:
    """Draws a stored table into a file beside it, if it has rows; returns why, if that fails.

    A drawer that is named goes before the one of the table. The whole error is kept in a file.
    """

    said = path.with_suffix(".figure-error.txt")
    try:
        table = read_table(path)
        named = named or drawer(path)
        if named and len(table):
            save(find(named), table, path.with_suffix(".png"), caption)
    except Exception as error:  # a broken matplotlib loses no numbers
        with suppress(OSError):  # a full disk, of which the first error tells
            write_bytes(said, traceback.format_exc().encode())
        return failure(error)
    said.unlink(missing_ok=True)

    return None


def _footer(path: Path) -> Any:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return None


def _lay_out(figure: "Figure") -> None:
    """Lays a figure out once and for all, legends outside of its axes included."""

    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure)
        figure.set_layout_engine(None)
        for legend in figure.legends:
            legend.set_bbox_to_anchor((0, 0, 1, 1), figure.transFigure)
