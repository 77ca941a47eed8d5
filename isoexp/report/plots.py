"""Drawings of seeds: every seed a dot, or the mean over seeds as a curve, with its interval."""

__all__ = ["curves", "dots", "over_seeds"]

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ..figures import arms as drawing
from .cells import of_mean

POINTS = 200
"""Places at which a curve is drawn, at most."""

Panel = tuple[str, bool, Iterable[tuple[str, np.ndarray]]]
"""A metric, whether it is compared by ratios, and its arms with their values by seed."""


def dots(panels: Iterable[Panel]) -> bytes | None:
    """Draws every finite value as a dot, beside the mean of its arm; None if there is none."""

    rows = [
        (metric, log, arm, value, *of_mean(values, log))
        for metric, log, arms in panels
        for arm, values in arms
        for value in values[np.isfinite(values)]
    ]
    columns = pd.Index(["metric", "log", "arm", "value", "mean", "low", "high"])

    return drawing.svg(drawing.dots, pd.DataFrame(rows, columns=columns)) if rows else None


def curves(parts: Sequence[pd.DataFrame], x: str, log_x: bool, log_y: Iterable[str]) -> bytes:
    """Draws a panel for each `panel` and a curve for each `arm` of tables from `over_seeds`.

    Arguments:
        x: The name of the x axis.
        log_y: The panels whose y axis is logarithmic.
    """

    table = pd.concat(parts).assign(x_name=x, log_x=log_x)
    table["log_y"] = table["panel"].isin([*log_y])

    return drawing.svg(drawing.curves, table)


def over_seeds(tables: Iterable[pd.DataFrame], x: str, y: str) -> pd.DataFrame:
    """Averages a column y at each value of a column x: x, mean, low, high.

    Rows of one x are averaged within a seed first; a seed that lacks a column is passed over.
    """

    seeds: list[Any] = []
    for table in tables:
        if x in table and y in table:
            # An α of 10 may have come out as 9.999… in one of them.
            place: Any = table[x].map(lambda value: float(f"{value:.6g}"))
            values: Any = table[y]
            seeds.append(values.groupby(place).mean().dropna())
    rows = []
    if seeds:
        wide: Any = pd.concat(seeds, axis=1).sort_index()
        thinned = wide.iloc[:: max(1, -(-len(wide) // POINTS))]
        for at, own in zip(thinned.index, thinned.to_numpy(dtype=float), strict=True):
            rows.append((float(at), *of_mean(own)))

    return pd.DataFrame(rows, columns=pd.Index(["x", "mean", "low", "high"]))
