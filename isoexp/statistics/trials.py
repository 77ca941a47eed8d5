"""The best of k trials: what a tuning of any budget can expect, from the trials of one.

    m_k = Σ_i C(i − 1, k − 1) / C(n, k) x₍ᵢ₎,    x₍₁₎ ≤ … ≤ x₍ₙ₎,

the mean of the best over all choices of k of n scores, is without bias for k drawn anew. The law F
of a score is within ε = √(log(2/α) / 2n) of the empirical one everywhere, with probability 1 − α:

    ∫ x d min(F̂ + ε, 1)ᵏ ≤ E max of k ≤ ∫ x d max(F̂ − ε, 0)ᵏ,    for all k at once,

where what lies beyond the scores is put at the ends of what a score can be.

Source: Dodge et al., Show Your Work (2019); Tang et al., Showing Your Work Doesn't Always Work
(2020); Massart, The Tight Constant in the Dvoretzky–Kiefer–Wolfowitz Inequality (1990).
"""

__all__ = ["best_of"]

from math import comb, log, sqrt

import numpy as np
from jaxtyping import Float

from .results import Values, finite


def best_of(
    scores: Values, support: tuple[float, float], level: float = 0.95
) -> Float[np.ndarray, "n 3"]:
    """Estimates the best of k = 1 … n trials: mean and the ends of a band that holds for all k.

    Arguments:
        scores: The score of each trial; larger is better.
        support: The smallest and the largest value that a score can have.

    Raises:
        ValueError: If there is no score, or one is not finite or not within the support.
    """

    x = np.sort(finite(scores, "scores"))
    n, (least, most) = len(x), support
    if not n:
        raise ValueError("the best of trials must have scores, got none")
    if x[0] < least or x[-1] > most:
        raise ValueError(f"scores must be from {least:g} to {most:g}, got {x[0]:g} to {x[-1]:g}")

    k = np.arange(1, n + 1)
    share = np.array([[comb(i, j - 1) / comb(n, j) for i in range(n)] for j in k])
    F, eps = np.arange(n + 1) / n, sqrt(log(2 / (1 - level)) / (2 * n))
    above = np.minimum(F + eps, 1)[:, None] ** k  # a law of smaller scores, to the power of k
    below = np.maximum(F - eps, 0)[:, None] ** k
    low = least * above[0] + x @ np.diff(above, axis=0)
    high = x @ np.diff(below, axis=0) + most * (1 - below[-1])

    return np.stack([share @ x, low, high], axis=1)
