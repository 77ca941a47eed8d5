"""Means, covariances and 95 % intervals, as the probes report them."""

__all__ = ["NORMAL_95", "Moments", "mean", "share_interval"]

from collections.abc import Sequence
from math import nan

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

NORMAL_95 = 1.959963984540054
"""A normally distributed mean lies within so many standard errors in 95 cases of 100."""


def mean(numbers: Sequence[float]) -> float:
    """Returns the mean; NaN of no numbers."""

    return sum(numbers) / len(numbers) if numbers else nan


def share_interval(
    share: Float[np.ndarray, "*shares"], samples: int
) -> tuple[Float[np.ndarray, "*shares"], Float[np.ndarray, "*shares"]]:
    """Returns low and high of Clopper and Pearson's binomial interval for shares of samples."""

    from scipy.special import betaincinv

    k = np.clip(share, 0, 1) * samples
    none, all = k <= 0, k >= samples
    low = betaincinv(np.where(none, 1, k), np.where(none, 1, samples - k + 1), 0.025)
    high = betaincinv(np.where(all, 1, k + 1), np.where(all, 1, samples - k), 0.975)

    return np.where(none, 0.0, low), np.where(all, 1.0, high)


class Moments:
    """Mean, covariance and range of vectors that come in batches, in float64 on the CPU.

    Scatters about the means of batches are joined, so that no digits cancel. Source: Chan, Golub
    and LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1979).
    """

    def __init__(self) -> None:
        self.count = 0

    def add(self, x: Float[Tensor, "vectors n"]) -> None:
        """Adds a batch of at least one vector."""

        x = x.cpu().double()
        low, high = x.amin(dim=0), x.amax(dim=0)
        mean = x.mean(dim=0)
        scatter = (x - mean).mT @ (x - mean)
        if not self.count:
            self.count, self.mean, self.scatter = len(x), mean, scatter
            self.low, self.high = low, high
            return

        count, d = self.count + len(x), mean - self.mean
        self.scatter += scatter + torch.outer(d, d) * (self.count * len(x) / count)
        self.mean = self.mean + d * (len(x) / count)
        self.low, self.high = self.low.minimum(low), self.high.maximum(high)
        self.count = count

    @property
    def covariance(self) -> Float[Tensor, "n n"]:
        """E (x − E x)(x − E x)ᵀ over the vectors."""

        return self.scatter / self.count
