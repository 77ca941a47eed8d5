"""Slow and obvious versions of what the package computes fast."""

from collections.abc import Callable
from functools import cache
from typing import Any

import mpmath as mp
import numpy as np
from torch import Tensor

Real = Any
"""A number of mpmath's, which has no types."""

Profile = Callable[[Real], Real]


def linear_blend(t: Real) -> Real:
    return t


def smooth_blend(t: Real) -> Real:
    """Returns φ(t) / (φ(t) + φ(1 − t)) with φ(t) = exp(−1/t)."""

    return mp.exp(-1 / t) / (mp.exp(-1 / t) + mp.exp(-1 / (1 - t)))


def soft_slope(r: Real, alpha: float, blend: Profile, R0=1.0, delta=0.5) -> Real:
    """Returns σ′(r) of Eqn 21; blend is s(t) for 0 < t < 1."""

    t = (r - (mp.mpf(R0) - delta)) / (2 * mp.mpf(delta))

    return alpha + (1 - mp.mpf(alpha)) * (0 if t <= 0 else 1 if t >= 1 else blend(t))


def soft_profile(alpha: float, blend: Profile, R0=1.0, delta=0.5) -> Profile:
    """Returns σ(r) as the integral of its slope, before, in and beyond the window."""

    start, end = mp.mpf(R0) - delta, mp.mpf(R0) + delta

    @cache
    def inside(up_to: Real) -> Real:
        window = [start, *(e for e in (R0 - delta / 2, R0, R0 + delta / 2) if e < up_to), up_to]

        return mp.quad(lambda u: soft_slope(u, alpha, blend, R0, delta), window)

    def sigma(r: Real) -> Real:
        window = inside(min(r, end)) if r > start else 0

        return alpha * min(r, start) + window + max(r - end, mp.mpf(0))

    return sigma


PROFILES: dict[str, Profile] = {
    "IsoTanh": mp.tanh,
    "IsoReLU": lambda r: max(r - 1, mp.mpf(0)),
    "IsoCappedReLU": lambda r: min(max(r - 1, mp.mpf(0)), mp.mpf(6)),
    "IsoHardThreshold": lambda r: r if r >= 1 else mp.mpf(0),
    "IsoLeakyReLU": lambda r: mp.mpf(0.1) * r if r < 1 else r - (1 - mp.mpf(0.1)),
    "IsoSinusoid": lambda r: r + mp.sin(r),
    "IsoSoftReLU": soft_profile(0.0, linear_blend),
    "IsoSoftLeakyReLU": soft_profile(0.1, linear_blend),
    "IsoSmoothReLU": soft_profile(0.0, smooth_blend),
    "IsoSmoothLeakyReLU": soft_profile(0.1, smooth_blend),
    "gelu": lambda r: r * mp.ncdf(r),
    "silu": lambda r: r / (1 + mp.exp(-r)),
    "softplus_profile": lambda r: r / 2 + mp.log(mp.cosh(r / 2)) if r < 1e3 else r - mp.log(2),
    "softsign": lambda r: r / (1 + r),
    "erf": mp.erf,
    "identity": lambda r: r,
}
"""σ(r) of every isotropic activation at its default settings, in many digits."""


def exact(x: Tensor) -> list[Real]:
    """Returns the coordinates of a vector as they are, to the last bit."""

    return [mp.mpf(v) for v in x.double().tolist()]


def norm(x: list[Real]) -> Real:
    return mp.sqrt(mp.fsum(v * v for v in x))


def angle(x: Tensor, y: Tensor) -> float:
    """Returns arccos( x·y / ‖x‖‖y‖ ), as it is written, in fifty digits."""

    with mp.workdps(50):
        a, b = exact(x), exact(y)
        cosine = mp.fsum(p * q for p, q in zip(a, b, strict=True)) / (norm(a) * norm(b))

        return float(mp.acos(min(max(cosine, mp.mpf(-1)), mp.mpf(1))))


def softmax_cross_entropy(logits: np.ndarray, y: int) -> float:
    """Returns −log of the probability of class y."""

    e = np.exp(logits - logits.max())

    return float(-np.log(e[y] / e.sum()))


def quasi_direction(u: np.ndarray, alpha: float, beta: float) -> np.ndarray:
    """Returns Φ(x̂) of Eqn 24, coordinate by coordinate."""

    return np.array([beta * v + (1 - beta) * round(alpha * v) / alpha for v in u])


def clustered_error(values: list[list[float]], items: list[list[int]]) -> tuple[float, float]:
    """The mean over seeds and its standard error, by seed and by item, pair by pair of outcomes.

    Every pair of outcomes that shares a seed or an item adds the product of its residuals.
    """

    n = len(values)
    m = sum(sum(own) / len(own) for own in values) / n
    outcomes = [
        (s, item, (c - m) / (n * len(own)))
        for s, (own, which) in enumerate(zip(values, items, strict=True))
        for c, item in zip(own, which, strict=True)
    ]

    def variance(key: Callable[[Any], Any]) -> float:
        count = len({key(each) for each in outcomes})
        total = sum(a[2] * b[2] for a in outcomes for b in outcomes if key(a) == key(b))
        return count / (count - 1) * total

    seed, item, both = (
        variance(key) for key in (lambda each: each[0], lambda each: each[1], lambda each: each[:2])
    )

    return m, max(seed + item - both, seed, item) ** 0.5
