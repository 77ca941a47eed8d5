"""Results of statistics, and the check of what they are from: finite numbers, one a seed."""

__all__ = ["Estimate", "PValue", "SampleSize", "Values", "bounds", "finite"]

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

Values = Sequence[float] | np.ndarray


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
