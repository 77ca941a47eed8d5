"""Results of statistics, and the check of what they are from: finite numbers, one a seed."""

__all__ = ["Estimate", "PValue", "SampleSize", "finite"]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Estimate:
    """An estimate from n values and its interval, from low to high; ±∞ where nothing bounds it.

    Arguments:
        level: The share of such intervals that hold the true value.
        method: The estimator and its interval, in words.
    """

    n: int
    estimate: float
    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class PValue:
    """The p-value of a test of n values.

    Arguments:
        smallest: The least p that this test can reach with so many values.
        method: The test and its null hypothesis, in words.
    """

    n: int
    p: float
    smallest: float
    method: str


@dataclass(frozen=True)
class SampleSize:
    """The number of seeds n that would decide.

    Arguments:
        power: The share of studies of n seeds that decide.
        method: The test and the effect it is for, in words.
    """

    n: int
    power: float
    method: str


def finite(values: Sequence[float] | np.ndarray, name: str = "values") -> Float[np.ndarray, " n"]:
    """Returns values as an array in double precision.

    Raises:
        ValueError: If they are not a list of finite numbers.
    """

    array = np.asarray(values, dtype=np.float64)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one number a seed, got an array of shape {array.shape}")
    if not np.isfinite(array).all():
        place = int(np.flatnonzero(~np.isfinite(array))[0])
        told = f"got {array[place]} at place {place}"
        raise ValueError(f"{name} must be finite, {told}: leave that seed out and say so")

    return array
