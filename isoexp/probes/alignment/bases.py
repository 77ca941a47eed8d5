"""What the vectors and the planes of one basis see of the directions of data, as curves."""

__all__ = ["directions", "own_basis", "seen_by_planes", "seen_by_vectors"]

from collections.abc import Sequence
from math import nan, pi

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor, nn

from ...geometry import unit
from .coordinates import coordinate_null, coordinate_shares, kurtosis_null, nearest_cosine_null
from .curves import Curve, mean_of_samples
from .projection import projected, shells
from .spotlight import (
    circle,
    in_plane,
    lit,
    opposite,
    reversed_planes,
    spotlight_width,
    there_and_back,
)


def directions(x: Float[Tensor, "samples n"]) -> Float[np.ndarray, "samples n"]:
    """Returns x̂, or zero where there is no direction."""

    return unit(x.cpu().double()).nan_to_num(0.0, 0.0, 0.0).numpy()


def own_basis(module: nn.Module, n: int) -> Float[np.ndarray, "k {n}"] | None:
    """Returns the unit vectors that a module singles out, if it says so.

    They are the columns of a matrix `basis` with n rows, as that of activations.Rotated.
    """

    basis = getattr(module, "basis", None)
    if not isinstance(basis, Tensor) or basis.dim() != 2 or len(basis) != n:
        return None

    B = unit(basis.detach().cpu().double().mT)

    B = B[B.isfinite().all(dim=1)]

    return B.numpy() if len(B) else None


def seen_by_vectors(
    x: Float[np.ndarray, "samples n"], basis: Float[np.ndarray, "k n"], bins: int
) -> list[Curve]:
    """Returns the coordinates' histogram, its distance to the null, kurtosis, nearest cosine.

    Arguments:
        x: The directions; those that are zero are left out.
        basis: The unit vectors.
        bins: The number of bins of [−1, 1].
    """

    n = x.shape[1]
    t = x[x.any(axis=1)] @ basis.T
    edges = np.linspace(-1, 1, bins + 1)
    share, null = coordinate_shares(t, bins), coordinate_null(bins, n)
    distance = np.array([abs(share - null).sum() / 2 if t.size else nan])
    orthonormal = len(basis) == n and np.allclose(basis @ basis.T, np.eye(n), atol=1e-5)
    nowhere = np.array([nan])

    return [
        Curve("coordinate", (edges[:-1] + edges[1:]) / 2, share, null),
        Curve("distance", nowhere, distance, np.zeros(1), nowhere),
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
) -> list[Curve]:
    """Returns the sweeps of spotlights, and what lies close to the planes, by angle and share.

    Arguments:
        x: The directions; those that are zero are in no light, but counted.
        basis: The unit vectors.
        planes: The pairs of them.
        levels: The shares of isotropic data that the spotlights light.
        angles: The number of angles of a sweep.
        kept: The share of isotropic data that counts as close to a plane.
        sectors: The number of sectors of in-plane angles.
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
        found.append(Curve("spotlight", circle(angles), share, null, None, *of))
        found.append(Curve("spotlight_signed", circle(angles), signed, 0 * null, error, *of))

    theta, even = np.arange(sectors) * (2 * pi / sectors), np.full(sectors, 1 / sectors)
    for edge, share, null in zip(edges, inside, shares, strict=False):
        found.append(Curve("plane", theta, share, null * even, None, count, edge))
    whole = inside.sum(axis=0), shares.sum() * even

    return [*found, Curve("plane_angle", theta, *whole, None, count, edges[0])]
