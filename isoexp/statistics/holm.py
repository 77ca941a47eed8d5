"""Several comparisons at once: Holm's step-down keeps one false finding among them rare.

    p̃₍ᵢ₎ = max_{j ≤ i} min(1, (m − j + 1) p₍ⱼ₎),    p₍₁₎ ≤ … ≤ p₍ₘ₎.

Source: Holm, A Simple Sequentially Rejective Multiple Test Procedure (1979).
"""

__all__ = ["holm"]

from collections.abc import Sequence

import numpy as np

from .results import finite


def holm(p: Sequence[float] | np.ndarray) -> tuple[float, ...]:
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
