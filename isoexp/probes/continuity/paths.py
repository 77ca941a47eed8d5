"""The path of a factor: the mean vector of the samples at each of its values.

    μ(t) = E[h | t],    t in bins of equal width.

Squares of lengths are estimated without bias: the samples are dealt into four parts, and
‖v‖² = mean of v_q·v_r over parts q ≠ r, whose noise is independent.
"""

__all__ = ["path"]

from math import nan
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from ..statistics import NORMAL_95
from .decoding import Add, Rng, Track, Vectors

PARTS = 4

STUDENT = 3.1824463052842624
"""The 0.975 quantile of Student's t for PARTS − 1 degrees of freedom."""


def path(add: Add, h: Vectors, factor: Track, bins: int, bases: int, rng: Rng) -> None:
    """Measures the path of a factor through the vectors of a place."""

    from scipy.special import ndtri  # a third of a second to import: for those who ask

    share, around, jump, error, angle, random = nan, nan, nan, nan, nan, np.full(bases, nan)
    path = FactorPath.of(h, factor.t, factor.periodic, bins)
    if path is not None:
        share, around = path.share()
        if share > STUDENT * around:
            jump, error = path.jump()
            angle = limit_angle(path.deviations).mean()
            random = limit_angle(random_bases(path.deviations, bases, rng)).mean(axis=1)

    low, high = share - STUDENT * around, share + STUDENT * around
    add(measure="path_share", n=len(h), value=share, low=low, high=high, null=0.0)
    steps = bins if factor.periodic else bins - 1
    # Quantiles of the largest of so many normal errors.
    null, null_high = (1 + error * float(ndtri(p ** (1 / steps))) for p in (0.5, 0.95))
    add(measure="jump", n=len(h), value=jump, null=null, null_high=null_high)

    null, spread = random.mean(), NORMAL_95 * random.std(ddof=1)
    limit = {"measure": "limit_angle_rad", "n": len(h), "null": null}
    add(**limit, basis="standard", value=angle)
    add(**limit, basis="random", value=null, low=null - spread, high=null + spread)


class FactorPath(NamedTuple):
    """The path of a factor through vectors of total variance 1: μ(t) for each part of the samples.

    If it is periodic the last bin is a neighbour of the first.
    """

    means: Float[np.ndarray, "4 bins n"]
    periodic: bool

    @classmethod
    def of(
        cls, h: Vectors, t: Float[np.ndarray, " samples"], periodic: bool, bins: int
    ) -> "FactorPath | None":
        """Returns the path of a factor t in [0, 1] through vectors h in random order.

        None if a part has no sample in some bin, or all h agree.
        """

        cells = np.minimum(t * bins, bins - 1).astype(int) + (np.arange(len(t)) % PARTS) * bins
        held = np.eye(PARTS * bins)[cells].T
        variance = h.var(axis=0).sum()
        sizes = held.sum(axis=1, keepdims=True)
        if sizes.min() == 0 or not variance > 0:
            return None

        means = held @ (h - h.mean(axis=0)) / sizes / variance**0.5

        return cls(means.reshape(PARTS, bins, -1), periodic)

    @property
    def deviations(self) -> Float[np.ndarray, "bins n"]:
        """μ(t) less its mean over t, from all samples."""

        mean = self.means.mean(axis=0)

        return mean - mean.mean(axis=0)

    def share(self) -> tuple[float, float]:
        """Returns the share of the variance along the path, and its standard error."""

        found, by_part = _squares(self.means - self.means.mean(axis=1, keepdims=True))

        return float(found.mean()), float(_jackknife(by_part.mean(axis=1)))

    def jump(self) -> tuple[float, float]:
        """Returns the largest squared step over the mean squared step, and a step's standard error.

        A path of constant speed has 1; one that rests on m levels has steps / m, if each jump is
        between two bins.
        """

        ends = self.means[:, :1] if self.periodic else self.means[:, :0]
        found, by_part = _squares(np.diff(self.means, axis=1, append=ends))
        error = (_jackknife(by_part) ** 2).mean() ** 0.5

        return float(found.max() / found.mean()), float(error / found.mean())


def _squares(
    v: Float[np.ndarray, "4 bins n"],
) -> tuple[Float[np.ndarray, " bins"], Float[np.ndarray, "4 bins"]]:
    """Returns ‖v‖² in each bin, from all parts, and with each part left out."""

    products = np.einsum("qbn,rbn->bqr", v, v)
    off = products - products * np.eye(PARTS)
    total = off.sum(axis=(1, 2))
    without = total[:, None] - 2 * off.sum(axis=2)

    return total / (PARTS * (PARTS - 1)), without.T / ((PARTS - 1) * (PARTS - 2))


def _jackknife(by_part: Float[np.ndarray, " 4 *bins"]) -> Float[np.ndarray, "*bins"]:
    """Returns the standard error from estimates with each part left out."""

    spread = ((by_part - by_part.mean(axis=0)) ** 2).sum(axis=0)

    return np.asarray(((PARTS - 1) / PARTS * spread) ** 0.5)


def limit_angle(v: Float[np.ndarray, "*batch n"]) -> Float[np.ndarray, "*batch"]:
    """Returns the angle in radians to the nearest direction with entries −1, 0, 1; NaN of 0.

    Of the 3^n − 1, limit points of an elementwise tanh, the nearest with k entries has the signs
    of the k largest coordinates: cos = max_k (|v|₍₁₎ + … + |v|₍k₎) / (√k ‖v‖).
    """

    largest = -np.sort(-abs(v), axis=-1)
    k = np.arange(1, v.shape[-1] + 1)
    top = (largest.cumsum(axis=-1) / k**0.5).max(axis=-1)
    length = np.linalg.norm(v, axis=-1)
    cos = np.divide(top, length, out=np.full_like(length, np.nan), where=length > 0)

    return np.arccos(np.minimum(cos, 1.0))


def random_bases(
    v: Float[np.ndarray, "bins n"], bases: int, rng: Rng
) -> Float[np.ndarray, "bases bins n"]:
    """Returns vectors in so many Haar-random bases of R^n.

    Only the image of their span is drawn, G (GᵀG)^(−½) of a Gaussian G, a column a dimension.
    """

    left, s, _ = np.linalg.svd(v, full_matrices=False)
    gaussian = rng.standard_normal((bases, v.shape[1], len(s)))
    U, _, V = np.linalg.svd(gaussian, full_matrices=False)

    return (left * s) @ (U @ V).swapaxes(-1, -2)
