"""Intervals that hold a mean, or a share, in 95 cases of 100."""

__all__ = ["NORMAL_95", "share_interval"]

import numpy as np
from jaxtyping import Float

NORMAL_95 = 1.959963984540054
"""Standard errors on either side of a mean, normally distributed, that make an interval of 95 %."""


def share_interval(
    share: Float[np.ndarray, "*shares"], samples: int
) -> tuple[Float[np.ndarray, "*shares"], Float[np.ndarray, "*shares"]]:
    """Returns low and high of the binomial interval of Clopper and Pearson.

    Arguments:
        share: The shares of the samples.
        samples: Their number.
    """

    from scipy.special import betaincinv

    k = np.clip(share, 0, 1) * samples
    none, all = k <= 0, k >= samples
    low = betaincinv(np.where(none, 1, k), np.where(none, 1, samples - k + 1), 0.025)
    high = betaincinv(np.where(all, 1, k + 1), np.where(all, 1, samples - k), 0.975)

    return np.where(none, 0.0, low), np.where(all, 1.0, high)
