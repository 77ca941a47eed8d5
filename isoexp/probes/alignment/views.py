"""Views: the directions of data as the vectors and the planes of one basis see them."""

__all__ = ["View", "average", "interval_95", "mean_of_samples", "seen_by_planes", "seen_by_vectors"]

from collections.abc import Sequence
from math import nan, pi
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from ..statistics import NORMAL_95, share_interval
from .sphere import (
    coordinate_null,
    coordinate_shares,
    kurtosis_null,
    nearest_cosine_null,
    projected,
    shells,
)
from .spotlight import (
    circle,
    in_plane,
    lit,
    opposite,
    reversed_planes,
    spotlight_width,
    there_and_back,
)


class View(NamedTuple):
    """The values of a measure at several places.

    Arguments:
        measure: The name of the measure.
        at: The places.
        value: The values for the data.
        null: The values for isotropic data.
        error: The standard error of a mean over samples; None for a share of samples.
        planes: The number of planes in the mean.
        threshold: The least value that was counted.
    """

    measure: str
    at: Float[np.ndarray, " places"]
    value: Float[np.ndarray, " places"]
    null: Float[np.ndarray, " places"]
    error: Float[np.ndarray, " places"] | None = None
    planes: int = 0
    threshold: float = nan


def mean_of_samples(measure: str, each: Float[np.ndarray, " samples"], null: float) -> View:
    """Returns the mean over samples of one number each, as a view of one place."""

    count = len(each)
    value = float(each.mean()) if count else nan
    error = float(each.std(ddof=1)) / np.sqrt(count) if count > 1 else nan

    return View(measure, np.array([nan]), np.array([value]), np.array([null]), np.array([error]))


def average(views: Sequence[View]) -> tuple[View, Float[np.ndarray, " places"]]:
    """Returns the mean of a measure over bases and its standard deviation; NaN over one basis."""

    first, values = views[0], np.stack([view.value for view in views])
    if len(views) == 1:
        return first, np.full_like(first.value, nan)

    errors = [view.error for view in views if view.error is not None]
    error = np.mean(errors, axis=0) if errors else None
    mean = first._replace(value=values.mean(axis=0), error=error)

    return mean, values.std(axis=0, ddof=1)


def interval_95(
    view: View, samples: int
) -> tuple[Float[np.ndarray, " places"], Float[np.ndarray, " places"]]:
    """Returns low and high of the 95 % interval over samples, for shares the binomial one."""

    if view.error is None:
        shares, place = np.unique(view.value, return_inverse=True)
        low, high = share_interval(shares, samples)

        return low[place], high[place]

    return view.value - NORMAL_95 * view.error, view.value + NORMAL_95 * view.error


def seen_by_vectors(
    x: Float[np.ndarray, "samples n"], basis: Float[np.ndarray, "k n"], bins: int
) -> list[View]:
    """Returns the coordinates' histogram, its distance to the null, kurtosis, nearest cosine.

    Directions x that are zero are left out; the histogram is of [−1, 1].
    """

    n = x.shape[1]
    t = x[x.any(axis=1)] @ basis.T
    edges = np.linspace(-1, 1, bins + 1)
    share, null = coordinate_shares(t, bins), coordinate_null(bins, n)
    distance = np.array([abs(share - null).sum() / 2 if t.size else nan])
    orthonormal = len(basis) == n and np.allclose(basis @ basis.T, np.eye(n), atol=1e-5)
    nowhere = np.array([nan])

    return [
        View("coordinate", (edges[:-1] + edges[1:]) / 2, share, null),
        View("distance", nowhere, distance, np.zeros(1), nowhere),
        mean_of_samples("kurtosis", n**2 * ((t * t) ** 2).mean(axis=1), kurtosis_null(n)),
        mean_of_samples(
            "nearest_cosine", abs(t).max(axis=1), nearest_cosine_null(n) if orthonormal else nan
        ),
    ]


def seen_by_planes(
    x: Float[np.ndarray, "samples n"],
    basis: Float[np.ndarray, "k n"],
    planes: Int[np.ndarray, "planes 2"],
    levels: Sequence[float],
    angles: int,
    kept: float,
    sectors: int,
) -> list[View]:
    """Returns the sweeps of spotlights, and the shares of data close to the planes, by angle.

    Directions x that are zero are in no light, but counted. Each level is the share of isotropic
    data that a spotlight lights, `kept` the share that counts as close to a plane.
    """

    (samples, n), count = x.shape, len(planes)
    if not count:
        return []

    epsilons = [spotlight_width(n, level) for level in levels]
    edges, shares = shells(n, kept)
    bright, inside = np.zeros((len(levels), angles)), np.zeros((len(shares), sectors))
    alone, both = there_and_back(basis, planes) if sectors % 4 == 0 else (planes, planes[:0])
    for some in (both, alone):
        for rho, theta in in_plane(x, basis, some, min(*epsilons, edges[0])):
            bright += [lit(rho, theta, angles, epsilon) for epsilon in epsilons]
            inside += projected(rho, theta, edges, sectors)
        if some is both:
            bright += reversed_planes(bright, angles - 1)
            inside += reversed_planes(inside, sectors)

    bright, inside = (counts / max(1, samples * count) for counts in (bright, inside))
    found = []
    for level, epsilon, share in zip(levels, epsilons, bright, strict=True):
        signed, both = share - opposite(share), share + opposite(share)
        error = np.sqrt((both - signed**2) / max(1, samples))
        null, of = np.full(angles, level), (count, epsilon)
        found.append(View("spotlight", circle(angles), share, null, None, *of))
        found.append(View("spotlight_signed", circle(angles), signed, 0 * null, error, *of))

    theta, even = np.arange(sectors) * (2 * pi / sectors), np.full(sectors, 1 / sectors)
    for edge, share, null in zip(edges, inside, shares, strict=False):
        found.append(View("plane", theta, share, null * even, None, count, edge))
    whole = inside.sum(axis=0), shares.sum() * even

    return [*found, View("plane_angle", theta, *whole, None, count, edges[0])]
