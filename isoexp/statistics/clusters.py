"""The mean over seeds of a contrast that test items share: its error by seed and by item.

Seed s = 1 … n is tested on m_s items, c_{s,i} is its contrast on item i, and

    m = 1/n Σ_s 1/m_s Σ_i c_{s,i},        u_{s,i} = (c_{s,i} − m) / (n m_s),
    V_seed = n/(n−1) Σ_s (Σ_i u_{s,i})²,  V_item = I/(I−1) Σ_i (Σ_s u_{s,i})²,
    V_both = N/(N−1) Σ_{s,i} u²_{s,i},    e² = max(V_seed + V_item − V_both, V_seed, V_item),

with I different items and N outcomes in all; V_seed is the s²/n of Student's t. Seeds that share
items err alike on them: V_item − V_both is what they share, and more seeds of the same pool do not
lower it. Where no item is tested by two seeds, items lie within seeds and e² = V_seed. The error is
taken for Student's with n − 1 degrees of freedom.

Of a metric that has no items, measured on splits dealt anew from one pool,

    e² = s² (1/n + n_test/n_train).

Source: Cameron, Gelbach and Miller, Robust Inference With Multiway Clustering (2011); Nadeau and
Bengio, Inference for the Generalization Error (2003).
"""

__all__ = ["clustered", "resampled"]

from collections.abc import Sequence
from dataclasses import replace
from math import hypot, inf, sqrt

import numpy as np
from jaxtyping import Int, Shaped

from .results import Values, finite
from .student import Student, identical, mean


def clustered(
    values: Sequence[Shaped[np.ndarray, " items"]],
    items: Sequence[Int[np.ndarray, " items"]],
    scale: float = 0.0,
) -> Student:
    """Estimates the mean of a contrast, with errors clustered by seed and by item.

    Arguments:
        values: The contrasts of each seed's items.
        items: Which items they are of, each once in a seed.
        scale: The size of the numbers that the values are differences of, if they are.

    Raises:
        ValueError: If there is no seed, a seed has no item or one twice, or a value is not finite.
    """

    for c, own in zip(values, items, strict=True):
        if not len(own) or len(c) != len(own):
            told = f"got {len(c)} values of {len(own)} items"
            raise ValueError(f"a seed must have a value an item, {told}")
        if len(np.unique(own)) < len(own):
            raise ValueError(f"items of a seed must differ, got {len(own)} with repetitions")
    n = len(values)
    by_seed = mean([float(finite(c).mean()) for c in values], scale)
    every, which = np.unique(np.concatenate(items), return_inverse=True)
    c = np.concatenate([finite(each) for each in values])
    N, I = len(c), len(every)  # noqa: E741  (the letters of the equations)
    if N == I or n == 1:
        return by_seed
    method = f"the mean of {n} seeds on {I} test items, clustered both ways"
    found = replace(by_seed, method=method, over="seeds and test items")
    if I == 1:
        return replace(found, error=inf)

    sizes = [len(each) for each in items]
    weight = np.repeat([1 / (n * size) for size in sizes], sizes)
    u = weight * (c - by_seed.estimate)
    seed = by_seed.error**2
    item = I / (I - 1) * float(np.square(np.bincount(which, u)).sum())
    both = N / (N - 1) * float(np.square(u).sum())
    error = 0.0 if identical(c, scale) else sqrt(max(seed + item - both, seed, item))
    floor = sqrt(max(error**2 - seed, 0.0))

    return replace(found, error=error, floor=floor)


def resampled(values: Values, ratio: float, scale: float = 0.0) -> Student:
    """Estimates the mean of values, one a seed, measured on overlapping splits of one pool.

    Arguments:
        ratio: n_test / n_train.
        scale: The size of the numbers that the values are differences of, if they are.

    Raises:
        ValueError: If there is none, one is not finite, or the ratio is below 0.
    """

    if not 0 <= ratio < inf:
        raise ValueError(f"n_test / n_train must be 0 or above, got {ratio:g}")
    plain = mean(values, scale)
    s = plain.error * sqrt(plain.n) if plain.n > 1 else plain.error
    method = f"the mean of {plain.n} values on resampled splits (Nadeau–Bengio)"
    floor = s * sqrt(ratio) if plain.n > 1 else 0.0

    over = "seeds, resampled splits (Nadeau–Bengio)"

    return replace(plain, error=hypot(plain.error, floor), method=method, floor=floor, over=over)
