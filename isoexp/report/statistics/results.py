"""What a statistic gives back, and what it takes: finite numbers, one for each seed."""

__all__ = ["Adjusted", "Estimate", "PValue", "Plan", "finite", "pairs"]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float


@dataclass(frozen=True)
class Estimate:
    """A number and the interval that holds it.

    Arguments:
        n: How many values it is from.
        estimate: The number.
        low: The lower end of the interval; −∞ where the values bound nothing.
        high: The upper end.
        level: How often such intervals hold what they estimate.
        method: How both were found, in words.
    """

    n: int
    estimate: float
    low: float
    high: float
    level: float
    method: str


@dataclass(frozen=True)
class PValue:
    """How often a null hypothesis gives values at least as extreme.

    Arguments:
        n: How many values it is from.
        p: The p-value.
        smallest: The least p that this test can reach with so many values.
        method: The test and its null hypothesis, in words.
    """

    n: int
    p: float
    smallest: float
    method: str


@dataclass(frozen=True)
class Adjusted:
    """The p-values of several comparisons, adjusted for there being so many.

    Arguments:
        n: How many comparisons there are.
        p: The adjusted p-value of each, in the order given.
        method: How they were adjusted, in words.
    """

    n: int
    p: tuple[float, ...]
    method: str


@dataclass(frozen=True)
class Plan:
    """How many seeds would decide.

    Arguments:
        n: Their number.
        power: How often a study of so many decides.
        method: What it was computed by, and for which effect, in words.
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


def pairs(
    x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray
) -> tuple[Float[np.ndarray, " n"], Float[np.ndarray, " n"]]:
    """Returns two arrays that belong together, value by value.

    Raises:
        ValueError: If they are not finite, or not of one length.
    """

    x, y = finite(x, "x"), finite(y, "y")
    if len(x) != len(y):
        raise ValueError(f"pairs need one y for each x, got {len(x)} and {len(y)} values")

    return x, y
