"""Views: the directions x̂ of data as the vectors and the planes of one basis see them.

If x̂ is uniform on the sphere of R^n a coordinate t = x̂·b̂ has the density

    p(t) = (1 − t²)^((n − 3)/2) / B(½, (n − 1)/2),    E t² = 1/n,    E t⁴ = 3/(n(n + 2)),

and the largest of all, the cosine of the angle to the nearest ±ê_i, the mean E max|z_i| / E‖z‖,
z ~ N(0, I_n), since ‖z‖ is independent of z/‖z‖.
"""

__all__ = ["View", "average", "interval_95", "mean_of_samples", "seen_by_planes", "seen_by_vectors"]

from collections.abc import Sequence
from functools import lru_cache
from math import exp, lgamma, nan, pi, sqrt
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ...geometry import coordinate_cdf
from ..statistics import NORMAL_95, share_interval
from . import spotlight
from .spotlight import Basis, Planes, Vectors

Places = Float[np.ndarray, " places"]


class View(NamedTuple):
    """The values of a measure at several places, for the data and for isotropic data (null).

    The standard error is of a mean over samples, and None for a share of samples; planes is the
    number of planes in the mean, and the threshold the least value that was counted.
    """

    measure: str
    at: Places
    value: Places
    null: Places
    error: Places | None = None
    planes: int = 0
    threshold: float = nan


def mean_of_samples(measure: str, each: Float[np.ndarray, " samples"], null: float) -> View:
    """Returns the mean over samples of one number each, as a view of one place."""

    count = len(each)
    value = float(each.mean()) if count else nan
    error = float(each.std(ddof=1)) / np.sqrt(count) if count > 1 else nan

    return View(measure, np.array([nan]), np.array([value]), np.array([null]), np.array([error]))


def average(views: Sequence[View]) -> tuple[View, Places]:
    """Returns the mean of a measure over bases and its standard deviation; NaN over one basis."""

    first, values = views[0], np.stack([view.value for view in views])
    if len(views) == 1:
        return first, np.full_like(first.value, nan)

    errors = [view.error for view in views if view.error is not None]
    error = np.mean(errors, axis=0) if errors else None
    mean = first._replace(value=values.mean(axis=0), error=error)

    return mean, values.std(axis=0, ddof=1)


def interval_95(view: View, samples: int) -> tuple[Places, Places]:
    """Returns low and high of the 95 % interval over samples, for shares the binomial one."""

    if view.error is None:
        shares, place = np.unique(view.value, return_inverse=True)
        low, high = share_interval(shares, samples)

        return low[place], high[place]

    return view.value - NORMAL_95 * view.error, view.value + NORMAL_95 * view.error


def seen_by_vectors(x: Vectors, basis: Basis, bins: int) -> list[View]:
    """Returns the coordinates' histogram, its distance to the null, kurtosis, nearest cosine.

    Directions x that are zero are left out; the histogram is of [−1, 1].
    """

    n = x.shape[1]
    t = x[x.any(axis=1)] @ basis.T
    edges = np.linspace(-1, 1, bins + 1)
    counts, _ = np.histogram(np.clip(t, -1, 1), bins, (-1, 1))  # rounding beyond ±1 is undone
    share, null = counts / max(t.size, 1), _coordinate_null(bins, n)
    distance = np.array([abs(share - null).sum() / 2 if t.size else nan])
    orthonormal = len(basis) == n and np.allclose(basis @ basis.T, np.eye(n), atol=1e-5)
    nearest = nearest_cosine_null(n) if orthonormal else nan
    nowhere = np.array([nan])

    return [
        View("coordinate", (edges[:-1] + edges[1:]) / 2, share, null),
        View("distance", nowhere, distance, np.zeros(1), nowhere),
        mean_of_samples("kurtosis", n**2 * ((t * t) ** 2).mean(axis=1), 3 * n / (n + 2)),
        mean_of_samples("nearest_cosine", abs(t).max(axis=1), nearest),
    ]


def seen_by_planes(
    x: Vectors,
    basis: Basis,
    planes: Planes,
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

    epsilons = [spotlight.spotlight_width(n, level) for level in levels]
    edges, shares = spotlight.shells(n, kept)
    bright, inside = np.zeros((len(levels), angles)), np.zeros((len(shares), sectors))
    alone, both = planes, planes[:0]
    if sectors % 4 == 0:
        alone, both = spotlight.there_and_back(basis, planes)
    for some in (both, alone):
        for rho, theta in spotlight.in_plane(x, basis, some, min(*epsilons, edges[0])):
            bright += [spotlight.lit(rho, theta, angles, epsilon) for epsilon in epsilons]
            inside += spotlight.projected(rho, theta, edges, sectors)
        if some is both:
            bright += spotlight.reversed_planes(bright, angles - 1)
            inside += spotlight.reversed_planes(inside, sectors)

    bright, inside = (counts / max(1, samples * count) for counts in (bright, inside))
    found, circle = [], spotlight.circle(angles)
    for level, epsilon, share in zip(levels, epsilons, bright, strict=True):
        signed, both = share - spotlight.opposite(share), share + spotlight.opposite(share)
        error = np.sqrt((both - signed**2) / max(1, samples))
        null, of = np.full(angles, level), (count, epsilon)
        found.append(View("spotlight", circle, share, null, None, *of))
        found.append(View("spotlight_signed", circle, signed, 0 * null, error, *of))

    theta, even = np.arange(sectors) * (2 * pi / sectors), np.full(sectors, 1 / sectors)
    for edge, share, null in zip(edges, inside, shares, strict=False):
        found.append(View("plane", theta, share, null * even, None, count, edge))
    whole = inside.sum(axis=0), shares.sum() * even

    return [*found, View("plane_angle", theta, *whole, None, count, edges[0])]


@lru_cache(maxsize=64)
def _coordinate_null(bins: int, n: int) -> Float[np.ndarray, " {bins}"]:
    """Returns the share of the coordinates of isotropic data in each bin of [−1, 1]; read only."""

    edges = np.linspace(-1, 1, bins + 1)
    null = np.diff(coordinate_cdf(edges, n))
    null[0] += coordinate_cdf(edges[:1], n)[0]  # n = 1 puts a point on the left edge
    null.flags.writeable = False

    return null


@lru_cache(maxsize=64)
def nearest_cosine_null(n: int) -> float:
    """Returns E max_i |x̂·ê_i|, to twelve digits."""

    from scipy.special import erfc

    # E max|z_i| = ∫ 1 − erf(t/√2)^n dt, by Gauss and Legendre; nothing is left beyond t = 12.
    nodes, weights = np.polynomial.legendre.leggauss(200)
    t = 6 * (nodes + 1)
    beyond = -np.expm1(n * np.log1p(-erfc(t / sqrt(2))))

    return float(6 * weights @ beyond) / (sqrt(2) * exp(lgamma((n + 1) / 2) - lgamma(n / 2)))
