"""The sign-flip test: how often chance gives the same differences signs as extreme as these.

Exact where all signs can be counted; else p = (b + 1) / (m + 1), of m draws by a fixed generator, b
of them at least as extreme. With n seeds no p is below 2 / 2ⁿ: 5 cannot reach 0.05.

Source: Fisher, The Design of Experiments (1935); Phipson and Smyth, Permutation P-values Should
Never Be Zero (2010).
"""

__all__ = ["sign_flips"]

from collections.abc import Sequence

import numpy as np

from .results import PValue, finite

EXACT = 20
"""The most values whose signs are flipped in every way: 2¹⁹ sums, by symmetry."""

DRAWS = 9_999


def sign_flips(values: Sequence[float] | np.ndarray) -> PValue:
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
