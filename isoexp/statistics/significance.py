"""Tests without a law of the values: sign flips.

    sign flips    the share of all 2ⁿ signs whose sum is as extreme, or (b + 1) / (m + 1),
                  b of m random ones; never below 2 / 2ⁿ: 5 seeds cannot reach 0.05

Source: Fisher, The Design of Experiments (1935); Phipson and Smyth, Permutation P-values Should
Never Be Zero (2010).
"""

__all__ = ["sign_flips"]

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
