"""Tests without a law of the values: sign flips; and Holm's correction of several p-values.

    sign flips    the share of all 2ⁿ signs whose sum is as extreme, or (b + 1) / (m + 1),
                  b of m random ones; never below 2 / 2ⁿ: 5 seeds cannot reach 0.05
    Holm          p̃₍ᵢ₎ = max_{j ≤ i} min(1, (m − j + 1) p₍ⱼ₎),    p₍₁₎ ≤ … ≤ p₍ₘ₎

Source: Fisher, The Design of Experiments (1935); Phipson and Smyth, Permutation P-values Should
Never Be Zero (2010); Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979).
"""

__all__ = ["holm", "sign_flips"]

import numpy as np

from .results import PValue, Values, finite

EXACT = 20
"""The most values whose signs are flipped in every way: 2¹⁹ sums, by symmetry."""

DRAWS = 9_999


def sign_flips(values: Values) -> PValue:
    """Tests that values, or differences by seed, are symmetric about 0, by their mean.

    Raises:
        ValueError: If there is none, or one is not finite.
    """

    values = finite(values)
    n = len(values)
    if n == 0:
        raise ValueError("a sign-flip test must have values, got none: run some seeds")
    what = f"sign flips of {n} values, two-sided"
    # Equal sums of the values may differ by this much, added up in another order.
    slack = 4 * n * float(np.finfo(np.float64).eps * np.abs(values).sum())
    observed = abs(values.sum()) - slack

    if n > EXACT:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(DRAWS, n))
        extreme = int((np.abs(signs @ values) >= observed).sum())
        return PValue(n, (extreme + 1) / (DRAWS + 1), 1 / (DRAWS + 1), f"{DRAWS} random {what}")

    sums = values[:1]  # the first keeps its sign: each sum has its mirror image
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])
    sizes = np.abs(sums)
    smallest = float((sizes >= sizes.max() - slack).mean())

    return PValue(n, float((sizes >= observed).mean()), smallest, f"exact {what}")


def holm(p: Values) -> tuple[float, ...]:
    """Adjusts p-values: those below α hold together, with one false among them in α of studies.

    Raises:
        ValueError: If one is not between 0 and 1.
    """

    p = finite(p, "p-values")
    if ((p < 0) | (p > 1)).any():
        raise ValueError(f"p-values must be from 0 to 1, got {p.tolist()}")
    m = len(p)
    order = np.argsort(p, kind="stable")
    adjusted = np.empty(m)
    adjusted[order] = np.maximum.accumulate(np.minimum(1, (m - np.arange(m)) * p[order]))

    return tuple(adjusted.tolist())
