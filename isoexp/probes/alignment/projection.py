"""Projection onto privileged planes: at which angles lies the data that lies close to a plane?

For x̂ uniform on the unit sphere of R^n its share ρ in a plane and its angle ϑ there have the law

    P(ρ ≥ r) = (1 − r²)^((n − 2)/2),    ϑ uniform and independent of ρ,

since ρ² is Beta(1, (n − 2)/2). Only what has ρ ≥ r_0 is kept; all planes are stacked. ϑ is counted
as in a spotlight's sweep (spotlight.py): b̂_i at 0, b̂_j at 3π/2.

Source: Bird, The Spotlight Resonance Method (2025).
"""

__all__ = ["SHELLS", "projected", "shells"]

from math import pi

import numpy as np
from jaxtyping import Float

SHELLS = 6
"""The number of shells of ρ."""


def shells(n: int, kept: float) -> tuple[Float[np.ndarray, " edges"], Float[np.ndarray, " shells"]]:
    """Returns the edges r_0 < r_1 < … < 1 of shells of ρ, and the isotropic share of each.

    Beyond each edge lies half of what lies beyond the one before. In a plane of its own, n = 2,
    everything has ρ = 1: one shell takes all.

    Arguments:
        n: The number of features, at least 2.
        kept: The share of isotropic data with ρ ≥ r_0.
    """

    if n == 2:
        return np.array([0.5, 1.0]), np.ones(1)

    beyond = np.append(kept * 0.5 ** np.arange(SHELLS), 0.0)

    return np.sqrt(1 - beyond ** (2 / (n - 2))), -np.diff(beyond)


def projected(
    rho: Float[np.ndarray, " pairs"],
    theta: Float[np.ndarray, " pairs"],
    edges: Float[np.ndarray, " edges"],
    sectors: int,
) -> Float[np.ndarray, "shells {sectors}"]:
    """Returns how many pairs of a sample and a plane are in each shell and sector.

    Arguments:
        rho: ρ of each pair; any below the first edge may be missing.
        theta: ϑ of each pair, in [−π, π].
        edges: The edges of the shells of ρ, the last one 1.
        sectors: The number of sectors of ϑ; sector s is centred at 2πs / sectors.
    """

    shell = np.zeros(len(rho), dtype=np.int64)
    for edge in edges[:-1]:  # ρ may exceed 1 by rounding
        shell += rho >= edge

    # Counted on three turns, from −2π on, and these laid on one another.
    sector = np.rint(theta * (sectors / (2 * pi))).astype(np.int64) + sectors
    counts = np.bincount(shell * (3 * sectors) + sector, minlength=3 * sectors * len(edges))

    return counts.reshape(-1, 3, sectors).sum(axis=1)[1:].astype(np.float64)
