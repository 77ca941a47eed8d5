"""The common parts of figures: settings, colours, which rows they show, names and titles."""

__all__ = [
    "COLORS", "CONTROL", "STYLES", "UNTRAINED", "colored", "default_settings", "legend",
    "load_matplotlib", "name_layers", "plain", "short", "title", "trained", "untrained",
]  # fmt: skip

import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import chdir, contextmanager
from importlib import import_module
from importlib.util import find_spec
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..output import printable

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

CONTROL: dict[str, Any] = {"color": "0.6", "linewidth": 1.0}
"""The style of lines that the others are compared with."""

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito

STYLES = ("-", "--", ":", "-.")

UNTRAINED = "untrained"


def load_matplotlib() -> None:
    """Imports matplotlib; without the user's settings, if it cannot be imported with them."""

    try:
        import_module("matplotlib")
    except (ValueError, OSError):  # an unknown MPLBACKEND, a matplotlibrc that is no text
        for name in [name for name in sys.modules if name.partition(".")[0] == "matplotlib"]:
            del sys.modules[name]  # half of it is there
        place = find_spec("matplotlib")
        assert place is not None
        backend = os.environ.pop("MPLBACKEND", None)
        try:
            # Its own settings are read where they are the first that it looks for.
            with chdir(Path(str(place.origin)).with_name("mpl-data")):
                import_module("matplotlib")
        finally:
            os.environ |= {} if backend is None else {"MPLBACKEND": backend}


@contextmanager
def default_settings(**changes: Any) -> Iterator[None]:
    """Sets matplotlib to its defaults and changes of them: a user's matplotlibrc has no say."""

    load_matplotlib()
    from matplotlib import style

    with style.context(["default", changes]):
        yield


def trained(table: "pd.DataFrame") -> "pd.DataFrame":
    """Returns the rows of the trained network; all, where networks are not told apart."""

    return table.loc[table["network"] == "trained"] if "network" in table else table


def untrained(table: "pd.DataFrame") -> Any:
    """Returns the rows of the untrained network; none, where networks are not told apart."""

    return table.loc[table["network"] == UNTRAINED] if "network" in table else table[:0]


def colored(table: "pd.DataFrame", column: str) -> "Iterator[tuple[str, tuple[Any, pd.DataFrame]]]":
    """Yields a colour with each group of the trained network's rows."""

    yield from zip(cycle(COLORS), trained(table).groupby(column, sort=False), strict=False)


def plain(text: object) -> str:
    """Returns a text that is drawn as it is: dollars begin no formula."""

    return printable(str(text)).replace("$", r"\$")


def short(layer: object) -> str:
    """Returns the path of a layer without the word activation at its end."""

    return plain(layer).removesuffix(".activation")


def name_layers(axes: "Axes", layers: Sequence[object], every: int = 1, **text: Any) -> None:
    """Names the layers at 0, 1, 2, … below an axis, or every second or third of them."""

    names = [short(layer) for layer in layers]
    axes.set_xticks(range(0, len(names), every), names[::every], fontsize=7, **text)


def legend(axes: Any, loc: str, **settings: Any) -> None:
    """Puts the legend of one of a figure's axes outside of all of them."""

    settings = {"fontsize": 7, "ncols": 1, **settings}
    axes.figure.legend(*axes.get_legend_handles_labels(), loc=f"outside {loc}", **settings)


def title(table: "pd.DataFrame", what: str, unit: str) -> str:
    """Returns a title: what is shown, of which network, and the number n of a unit."""

    run = table.iloc[0]
    named = [str(run[key]) for key in ("activation", "model", "data") if key in table]
    named += [f"seed {run['seed']}"] if "seed" in table else []
    named += [f"{int(run['n'])} {unit}"]

    return f"{what}\n{plain(', '.join(named))}"
