"""What the figures share: colours, which rows they show, titles."""

__all__ = [
    "COLORS",
    "CONTROL",
    "UNTRAINED",
    "colored",
    "default_settings",
    "short",
    "title",
    "trained",
]

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import cycle
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

CONTROL: dict[str, Any] = {"color": "0.6", "linewidth": 1.0}
"""The style of lines that the others are compared with."""

COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito

UNTRAINED = "untrained"


def colored(table: "pd.DataFrame", column: str) -> "Iterator[tuple[str, tuple[Any, pd.DataFrame]]]":
    """Yields a colour with each group of the trained network's rows."""

    yield from zip(cycle(COLORS), trained(table).groupby(column, sort=False), strict=False)


@contextmanager
def default_settings(changes: Mapping[str, Any] = MappingProxyType({})) -> Iterator[None]:
    """Sets matplotlib to its defaults and changes of them: a user's matplotlibrc has no say."""

    from matplotlib import style

    with style.context(["default", dict(changes)]):
        yield


def short(layer: str) -> str:
    """Returns the path of an activation without that it is one."""

    return layer.removesuffix(".activation")


def trained(table: "pd.DataFrame") -> "pd.DataFrame":
    """Returns the rows of the trained network; all, where networks are not told apart."""

    return table.loc[table["network"] == "trained"] if "network" in table else table


def title(table: "pd.DataFrame", what: str, unit: str) -> str:
    """Returns what is shown, of which network, and how many there are of the unit, n."""

    run = table.iloc[0]
    named = [str(run[key]) for key in ("activation", "model", "data") if key in table]
    named += [f"seed {run['seed']}"] if "seed" in table else []
    named += [f"{int(run['n'])} {unit}"]

    return f"{what}\n{', '.join(named)}"
