"""Results of statistics, and the check of what they are from: finite numbers, one a seed."""

__all__ = ["Estimate", "PValue", "SampleSize", "Values", "bounds", "finite", "in_digits"]

from collections.abc import Sequence
from dataclasses import dataclass
from math import floor, inf, log10

import numpy as np
from jaxtyping import Float

Values = Sequence[float] | np.ndarray

PLACES, LARGEST = 6, 1e6
"""Decimals, and sizes, up to which numbers are written out."""


@dataclass(frozen=True)
class Estimate:
    """An estimate from n values, its interval (±∞ where nothing bounds it), and its method.

    A share `level` of such intervals holds the true value.
    """

    n: int
    estimate: float
    low: float
    high: float
    level: float
    method: str

    @property
    def triple(self) -> tuple[float, float, float]:
        """The estimate and the ends of its interval."""

        return self.estimate, self.low, self.high


@dataclass(frozen=True)
class PValue:
    """The p-value of a test of n values, and the smallest p that so many values can reach."""

    n: int
    p: float
    smallest: float
    method: str


@dataclass(frozen=True)
class SampleSize:
    """The number of seeds n that would decide, in a share `power` of studies."""

    n: int
    power: float
    method: str


def finite(values: Values, name: str = "values") -> Float[np.ndarray, " n"]:
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


def bounds(triple: tuple[float, float, float], log: bool = False) -> tuple[float, float, float]:
    """Returns an estimate and the ends of its interval; of logarithms as ratios, if log."""

    if not log:
        return triple
    with np.errstate(over="ignore"):  # of two seeds, bounds may be beyond all numbers
        a, b, c = (float(np.exp(each)) for each in triple)

    return a, b, c


def in_digits(estimate: float, low: float, high: float, log: bool = False) -> str:
    """Writes an estimate with its interval, in the digits that it warrants: 0.017 [0.010, 0.025].

    They end where the width of the interval has two. Of a ratio whose ends are far apart each has
    two; of an interval that is infinite or a point each has four.
    """

    triple, width = (estimate, low, high), high - low
    if not 0 < width < inf:
        told = ["–" if v != v else f"{v:.4g}".replace("inf", "∞") for v in triple]
    elif log and high > 2 * low:
        told = [_rounded(v, 1 - _exponent(v), abs(v)) for v in triple]
    else:
        told = [_rounded(v, 1 - _exponent(width), max(map(abs, triple))) for v in triple]

    return f"{told[0]} [{told[1]}, {told[2]}]"


def _rounded(value: float, decimals: int, size: float) -> str:
    """Rounds a number to decimals, which may be below 0; as 3.66e-16 if they or a size are many."""

    rounded = round(value, decimals) + 0.0  # no -0
    if decimals <= PLACES and size < LARGEST:
        return f"{rounded:.{max(decimals, 0)}f}"

    return f"{rounded:.{max(decimals + _exponent(rounded), 0)}e}" if rounded else "0"


def _exponent(value: float) -> int:
    return floor(log10(abs(value))) if value else 0
