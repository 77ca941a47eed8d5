"""Curves: the mean over seeds of a column against another, with its interval."""

__all__ = ["over_seeds"]

from collections.abc import Iterable
from typing import Any

import pandas as pd

from .cells import of_mean

POINTS = 200
"""Places at which a curve is drawn, at most."""


def over_seeds(tables: Iterable[pd.DataFrame], x: str, y: str) -> pd.DataFrame:
    """Returns x, mean, low and high; rows of one x are averaged within a seed first.

    Arguments:
        tables: The rows of each seed; one that lacks a column is passed over.
        x: The column along the axis.
        y: The column that is averaged.
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
