"""Moments of vectors that come some at a time."""

__all__ = ["Moments"]

import torch
from jaxtyping import Float
from torch import Tensor


class Moments:
    """Mean, covariance and range of vectors that come some at a time, in float64 on the CPU.

    Scatters about the means of parts are joined, so that no digits cancel. Source: Chan, Golub and
    LeVeque, Updating formulae and a pairwise algorithm for computing sample variances (1979).
    """

    def __init__(self) -> None:
        self.count = 0

    def add(self, x: Float[Tensor, "vectors n"]) -> None:
        """Takes more vectors in, at least one."""

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
