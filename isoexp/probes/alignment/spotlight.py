"""Spotlight resonance: how much of the data lies in a cone that is turned through a plane.

    p(θ) = cos θ b̂_i − sin θ ê_j,    ê_j = unit(b̂_j − (b̂_i·b̂_j) b̂_i),
    SRM(θ) = P( x̂·p(θ) ≥ ε ),        SRM₀ = ½ I_{1−ε²}((n − 1)/2, ½) for isotropic data,

the mean over the planes (i, j) of a privileged basis. The sweep meets −b̂_j at 90° and, if
b̂_i·b̂_j = 0, b̂_j at 270°. With a = x̂·b̂_i, c = x̂·ê_j, ρ = √(a² + c²) and ϑ = atan2(−c, a) it is
x̂·p(θ) = ρ cos(θ − ϑ): a sample is lit where |θ − ϑ| ≤ arccos(ε/ρ), and not at all if ρ < ε. So ends
of intervals are counted, and no vector is rotated. For isotropic data

    P(ρ ≥ r) = (1 − r²)^((n − 2)/2),    ϑ uniform and independent of ρ,

since ρ² is Beta(1, (n − 2)/2). Where only data close to the planes is asked for, with ρ ≥ r_0, all
planes are stacked, and ϑ is counted as in the sweep: b̂_i at 0, b̂_j at 3π/2.

Source: Bird, The Spotlight Resonance Method (2025); there by rotation matrices.
"""

__all__ = [
    "circle", "in_plane", "lit", "opposite", "permutation_planes", "projected", "reversed_planes",
    "shells", "spotlight_width", "there_and_back",
]  # fmt: skip

import random
from collections.abc import Iterator
from math import pi

import numpy as np
from jaxtyping import Float, Int

Vectors = Float[np.ndarray, "samples n"]
Basis = Float[np.ndarray, "k n"]
Planes = Int[np.ndarray, "planes 2"]
Pairs = Float[np.ndarray, " pairs"]
Sweep = Float[np.ndarray, " angles"]

AT_ONCE = 2**15
"""The most numbers, samples times planes, in one block: as many as a cache holds."""

PARALLEL = 1e-6
"""Unit vectors with 1 − |cosine| below this span no plane."""

SHELLS = 6
"""The number of shells of ρ."""

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


def permutation_planes(basis: Basis, most: int | None = None, seed: int = 0) -> Planes:
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
    x: Vectors, basis: Basis, planes: Planes, least: float
) -> Iterator[tuple[Pairs, Pairs]]:
    """Yields ρ and ϑ of all pairs of a sample and a plane with ρ ≥ least > 0, in blocks.

    The rows of x are unit vectors x̂, or zero with ρ = 0; planes (i, j) are pairs of unit vectors b̂.
    """

    used, index = np.unique(planes, return_inverse=True)
    B, index = basis[used], index.reshape(planes.shape)
    along = B @ x.T
    step = max(1, AT_ONCE // max(1, len(x)))

    for block in (index[s : s + step] for s in range(0, len(index), step)):
        i, j = block.T
        cosine = np.einsum("pn,pn->p", B[i], B[j])[:, None]
        a = along[i]
        c = (along[j] - cosine * a) / np.sqrt((1 - cosine) * (1 + cosine))
        square = a * a + c * c
        near = np.flatnonzero(square >= least * least)
        yield np.sqrt(square.take(near)), np.arctan2(-c.take(near), a.take(near))


def lit(rho: Pairs, theta: Pairs, angles: int, epsilon: float) -> Sweep:
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


def projected(
    rho: Pairs, theta: Pairs, edges: Float[np.ndarray, " edges"], sectors: int
) -> Float[np.ndarray, "shells {sectors}"]:
    """Returns the number of pairs of a sample and a plane in each shell and sector.

    ϑ of each pair is in [−π, π]; pairs with ρ below the first edge may be left out, the last is 1.
    Sector s is centred at 2πs / sectors.
    """

    shell = np.zeros(len(rho), dtype=np.int64)
    for edge in edges[:-1]:  # ρ may exceed 1 by rounding
        shell += rho >= edge

    # Counted on three turns, from −2π on, and these laid on one another.
    sector = np.rint(theta * (sectors / (2 * pi))).astype(np.int64) + sectors
    counts = np.bincount(shell * (3 * sectors) + sector, minlength=3 * sectors * len(edges))

    return counts.reshape(-1, 3, sectors).sum(axis=1)[1:].astype(np.float64)


def shells(n: int, kept: float) -> tuple[Float[np.ndarray, " edges"], Float[np.ndarray, " shells"]]:
    """Returns the edges r_0 < r_1 < … < 1 of shells of ρ, and the isotropic share of each, n ≥ 2.

    The share `kept` has ρ ≥ r_0; beyond each edge lies half of the data beyond the one before. For
    n = 2 there is one plane, in which everything has ρ = 1: one shell takes all.
    """

    if n == 2:
        return np.array([0.5, 1.0]), np.ones(1)

    beyond = np.append(kept * 0.5 ** np.arange(SHELLS), 0.0)

    return np.sqrt(1 - beyond ** (2 / (n - 2))), -np.diff(beyond)


def opposite(scores: Sweep) -> Sweep:
    """Returns SRM(θ + π), the share with x̂·p(θ) ≤ −ε, which the signed score subtracts."""

    turn = len(scores) - 1

    return scores[(np.arange(turn + 1) + turn // 2) % turn]


def there_and_back(
    basis: Basis, planes: Planes
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


def _cosines(basis: Basis, planes: Planes) -> Float[np.ndarray, " planes"]:
    """Returns b̂_i·b̂_j of each plane, computed in blocks."""

    step = max(1, AT_ONCE // max(1, basis.shape[1]))
    blocks = (planes[s : s + step].T for s in range(0, len(planes), step))
    found = [np.einsum("pn,pn->p", basis[i], basis[j]) for i, j in blocks]

    return np.concatenate([np.empty(0), *found])
