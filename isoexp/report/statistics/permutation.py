"""Permutation tests: how often chance arranges the same values as extremely.

Exact where all arrangements can be counted; else p = (b + 1) / (m + 1), of m arrangements drawn by
a fixed generator, b at least as extreme. With n seeds no p is below 2 / 2ⁿ: 5 cannot reach 0.05.

Source: Fisher, The Design of Experiments (1935); Phipson and Smyth, Permutation P-values Should
Never Be Zero (2010).
"""

__all__ = ["permutation", "sign_flips"]

from collections.abc import Sequence
from itertools import combinations
from math import comb

import numpy as np
from jaxtyping import Float

from .results import PValue, finite

EXACT_SIGNS = 20
"""The most values whose signs are flipped in every way: 2¹⁹ sums, by symmetry."""

EXACT_SPLITS = 200_000
"""The most ways to part two arms that are all counted: 10 against 10 are 184,756."""

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
    slack = _slack(values)
    observed = abs(values.sum()) - slack

    if n > EXACT_SIGNS:
        signs = np.random.default_rng(0).choice([-1.0, 1.0], size=(DRAWS, n))
        return _drawn(n, int((np.abs(signs @ values) >= observed).sum()), what)

    sums = values[:1]  # the first keeps its sign: each sum has its mirror image
    for value in values[1:]:
        sums = np.concatenate([sums + value, sums - value])

    return _exact(n, np.abs(sums), observed, slack, what)


def permutation(x: Sequence[float] | np.ndarray, y: Sequence[float] | np.ndarray) -> PValue:
    """Tests that two arms with seeds of their own have one law, by the difference of their means.

    Raises:
        ValueError: If an arm has no value, or one is not finite.
    """

    x, y = finite(x, "x"), finite(y, "y")
    n, k = len(x), len(y)
    if not (n and k):
        raise ValueError(f"a permutation test must have values of both arms, got {n} and {k}")
    pooled = np.concatenate([x, y])
    pooled = pooled - pooled.mean()  # then the sum of one arm tells the difference of the means
    what = f"permutation of {n} and {k} values, two-sided"
    slack = _slack(pooled)
    observed = abs(pooled[:n].sum()) - slack

    if comb(n + k, n) > EXACT_SPLITS:
        draws = np.random.default_rng(0).permuted(np.tile(pooled, (DRAWS, 1)), axis=1)
        sums = np.abs(draws[:, :n].sum(axis=1))
        return _drawn(n + k, int((sums >= observed).sum()), what)

    places = np.array(list(combinations(range(n + k), n)))

    return _exact(n + k, np.abs(pooled[places].sum(axis=1)), observed, slack, what)


def _exact(
    n: int, sums: Float[np.ndarray, " ways"], observed: float, slack: float, what: str
) -> PValue:
    smallest = float((sums >= sums.max() - slack).mean())

    return PValue(n, float((sums >= observed).mean()), smallest, f"exact {what}")


def _drawn(n: int, extreme: int, what: str) -> PValue:
    p = (extreme + 1) / (DRAWS + 1)

    return PValue(n, p, 1 / (DRAWS + 1), f"{DRAWS} random {what}")


def _slack(values: Float[np.ndarray, " n"]) -> float:
    """Returns what equal sums of the values may differ by, added up in another order."""

    return 4 * len(values) * float(np.finfo(np.float64).eps * np.abs(values).sum())
