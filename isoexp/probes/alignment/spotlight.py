"""Spotlight resonance: how much of the data lies in a cone that is turned through a plane.

    p(θ) = cos θ b̂_i − sin θ ê_j,    ê_j = unit(b̂_j − (b̂_i·b̂_j) b̂_i),
    SRM(θ) = P( x̂·p(θ) ≥ ε ),        SRM₀ = ½ I_{1−ε²}((n − 1)/2, ½) for isotropic data,

the mean over the planes (i, j) of a privileged basis. The sweep meets −b̂_j at 90° and, if
b̂_i·b̂_j = 0, b̂_j at 270°. With a = x̂·b̂_i, c = x̂·ê_j, ρ = √(a² + c²) and ϑ = atan2(−c, a) it is
x̂·p(θ) = ρ cos(θ − ϑ): a sample is lit where |θ − ϑ| ≤ arccos(ε/ρ), and not at all if ρ < ε. So ends
of intervals are counted, and no vector is rotated.

Source: Bird, The Spotlight Resonance Method (2025); there by rotation matrices.
"""

__all__ = [
    "circle",
    "in_plane",
    "lit",
    "opposite",
    "permutation_planes",
    "reversed_planes",
    "spotlight_width",
    "there_and_back",
]

import random
from collections.abc import Iterator
from math import pi

import numpy as np
from jaxtyping import Float, Int

AT_ONCE = 2**15
"""The most numbers, samples times planes, in one block: as many as a cache holds."""

PARALLEL = 1e-6
"""Unit vectors with 1 − |cosine| below this span no plane."""

ORTHOGONAL = 1e-12
"""Unit vectors with |cosine| below this are orthogonal."""


def circle(points: int) -> Float[np.ndarray, " points"]:
    """Returns the angles θ of the sweep, in radians: [0, 2π], multiples of π/2 among them.

    Raises:
        ValueError: If points − 1 is no positive multiple of 4.
    """

    if points < 5 or (points - 1) % 4:
        raise ValueError(
            f"angles must be one more than a multiple of 4, got {points}: the quarters of the "
            "circle belong to the sweep"
        )

    return np.linspace(0.0, 2 * pi, points)


def permutation_planes(
    basis: Float[np.ndarray, "k n"], most: int | None = None, seed: int = 0
) -> Int[np.ndarray, "planes 2"]:
    """Returns the ordered pairs (i, j) of unit vectors that are not parallel.

    Of all pairs `most`, if given, are drawn evenly before parallel ones are left out.
    """

    k = len(basis)
    count = k * (k - 1)
    chosen = range(count)
    if most is not None and most < count:
        chosen = sorted(random.Random(seed).sample(chosen, most))
    i, j = np.divmod(np.asarray(chosen, dtype=np.int64), max(k - 1, 1))
    planes = np.stack([i, j + (j >= i)], axis=1)

    return planes[1 - np.abs(_cosines(basis, planes)) > PARALLEL]


def in_plane(
    directions: Float[np.ndarray, "samples n"],
    basis: Float[np.ndarray, "k n"],
    planes: Int[np.ndarray, "planes 2"],
    least: float,
) -> Iterator[tuple[Float[np.ndarray, " pairs"], Float[np.ndarray, " pairs"]]]:
    """Yields ρ and ϑ of all pairs of a sample and a plane with ρ ≥ least > 0, in blocks.

    Directions are unit vectors x̂, or zero with ρ = 0; planes (i, j) are pairs of unit vectors b̂.
    """

    used, index = np.unique(planes, return_inverse=True)
    B, index = basis[used], index.reshape(planes.shape)
    along = B @ directions.T
    step = max(1, AT_ONCE // max(1, len(directions)))

    for block in (index[s : s + step] for s in range(0, len(index), step)):
        i, j = block.T
        cosine = np.einsum("pn,pn->p", B[i], B[j])[:, None]
        a = along[i]
        c = (along[j] - cosine * a) / np.sqrt((1 - cosine) * (1 + cosine))
        square = a * a + c * c
        near = np.flatnonzero(square >= least * least)
        yield np.sqrt(square.take(near)), np.arctan2(-c.take(near), a.take(near))


def lit(
    rho: Float[np.ndarray, " pairs"],
    theta: Float[np.ndarray, " pairs"],
    angles: int,
    epsilon: float,
) -> Float[np.ndarray, " angles"]:
    """Returns the number of pairs of a sample and a plane that are lit at each of the angles.

    ϑ of each pair is in [−π, π], ε in (0, 1]; pairs with ρ < ε may be left out.
    """

    turn = angles - 1  # the last angle is the first again
    seen = np.flatnonzero(rho >= epsilon)
    half = np.arccos(np.minimum(epsilon / rho.take(seen), 1.0)) * (turn / (2 * pi))
    centre = theta.take(seen) * (turn / (2 * pi))

    # Counted on three turns, from −2π on: lit angles reach from −3π/2 to 3π/2 at most.
    first = np.ceil(centre - half).astype(np.int64) + turn
    behind = np.floor(centre + half).astype(np.int64) + (turn + 1)
    ends = np.bincount(first, minlength=3 * turn) - np.bincount(behind, minlength=3 * turn)
    counts = ends.cumsum().reshape(3, turn).sum(axis=0).astype(np.float64)

    return np.append(counts, counts[0])


def opposite(scores: Float[np.ndarray, " angles"]) -> Float[np.ndarray, " angles"]:
    """Returns SRM(θ + π), the share with x̂·p(θ) ≤ −ε, which the signed score subtracts."""

    turn = len(scores) - 1

    return scores[(np.arange(turn + 1) + turn // 2) % turn]


def there_and_back(
    basis: Float[np.ndarray, "k n"], planes: Int[np.ndarray, "planes 2"]
) -> tuple[Int[np.ndarray, "alone 2"], Int[np.ndarray, "both 2"]]:
    """Returns the planes to look at one by one, and those (i, j), i < j, that stand for (j, i) too.

    The latter are planes of orthogonal vectors of which both orders are asked for: the counts of
    (j, i) are those of (i, j) turned over (`reversed_planes`).
    """

    i, j = planes.T
    square = np.abs(_cosines(basis, planes)) < ORTHOGONAL
    twice = np.isin(j * len(basis) + i, i * len(basis) + j) & square

    return planes[~twice], planes[twice & (i < j)]


def reversed_planes(
    counts: Float[np.ndarray, "*rows angles"], turn: int
) -> Float[np.ndarray, "*rows angles"]:
    """Returns the counts of planes (j, i) from those of planes (i, j) of orthogonal vectors.

    ϑ becomes 3π/2 − ϑ. Counts go by the angle from 0 on, with `turn` steps, a multiple of 4, in a
    whole turn.
    """

    return counts[..., (3 * turn // 4 - np.arange(counts.shape[-1])) % turn]


def spotlight_width(n: int, level: float) -> float:
    """Returns the ε at which SRM₀ is the level, in (0, ½): the cone widens as n grows."""

    from scipy.special import betaincinv

    return float(np.sqrt(1 - betaincinv((n - 1) / 2, 0.5, 2 * level)))


def _cosines(
    basis: Float[np.ndarray, "k n"], planes: Int[np.ndarray, "planes 2"]
) -> Float[np.ndarray, " planes"]:
    """Returns b̂_i·b̂_j of each plane, computed in blocks."""

    step = max(1, AT_ONCE // max(1, basis.shape[1]))
    blocks = (planes[s : s + step].T for s in range(0, len(planes), step))

    return np.concatenate(
        [np.empty(0), *(np.einsum("pn,pn->p", basis[i], basis[j]) for i, j in blocks)]
    )
