"""Curves: a measure at several places, what chance gives there, and how sure it is."""

__all__ = ["Curve", "average", "interval_95", "mean_of_samples"]

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..intervals import NORMAL_95, share_interval


class Curve(NamedTuple):
    """A measure at several places.

    Arguments:
        measure: Its name.
        at: The places.
        value: What was found.
        null: What isotropic data gives.
        error: The standard error of a mean over samples; None for a share of them.
        planes: The number of planes it is a mean over.
        threshold: The least of what was counted.
    """

    measure: str
    at: Float[np.ndarray, " places"]
    value: Float[np.ndarray, " places"]
    null: Float[np.ndarray, " places"]
    error: Float[np.ndarray, " places"] | None = None
    planes: int = 0
    threshold: float = nan


def mean_of_samples(measure: str, each: Float[np.ndarray, " samples"], null: float) -> Curve:
    """Returns the mean of a number of each sample, as a curve of one place."""

    count = len(each)
    value = float(each.mean()) if count else nan
    error = float(each.std(ddof=1)) / np.sqrt(count) if count > 1 else nan

    return Curve(measure, np.array([nan]), np.array([value]), np.array([null]), np.array([error]))


def average(curves: Sequence[Curve]) -> tuple[Curve, Float[np.ndarray, " places"]]:
    """Returns the mean of a measure over bases and its standard deviation; NaN over one basis."""

    first, values = curves[0], np.stack([curve.value for curve in curves])
    if len(curves) == 1:
        return first, np.full_like(first.value, nan)

    errors = [curve.error for curve in curves if curve.error is not None]
    error = np.mean(errors, axis=0) if errors else None
    mean = first._replace(value=values.mean(axis=0), error=error)

    return mean, values.std(axis=0, ddof=1)


def interval_95(
    curve: Curve, samples: int
) -> tuple[Float[np.ndarray, " places"], Float[np.ndarray, " places"]]:
    """Returns low and high of the 95 % interval over samples.

    For shares it is the binomial one.
    """

    if curve.error is None:
        shares, place = np.unique(curve.value, return_inverse=True)
        low, high = share_interval(shares, samples)

        return low[place], high[place]

    return curve.value - NORMAL_95 * curve.error, curve.value + NORMAL_95 * curve.error
