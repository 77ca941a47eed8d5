"""Dropout drawn anew for every vector, along the last axis: in the standard basis, or in none.

Elementwise dropout (Eqn 26) sends x to S M∘x, S = 1/q, M_i ~ Bernoulli(q): whole axes are dropped,
and the standard basis is special. Isotropic dropout does so in a Haar-random basis,

    x' = S B diag(M) Bᵀ x.                                      (Bird 2025, Eqn 27, corrected)

As printed, Eqn 27 turns the mask alone, as a vector: B M has mean 0, and so would x'.
"""

__all__ = ["ElementwiseDropout", "HaarDropout", "IsotropicDropout"]

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry import full, radius
from ..noise import haar, normal, uniform
from ..parallel import share
from .base import Dropout


class ElementwiseDropout(Dropout):
    """x' = S M∘x (Eqn 26), as torch.nn.Dropout, from a key. Commutes with signed permutations."""

    def drop(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        (key,) = self.draw(1)
        M = uniform(key, x.shape, share=share()) < self.keep

        return M * x / self.keep


class HaarDropout(Dropout):
    """x' = S B diag(M) Bᵀ x, with one B for all vectors of a call and a mask M for each.

    It costs a QR decomposition and two products of n × n matrices a call.
    """

    def drop(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        b, m = self.draw(2)
        B = haar(b, self.width, full(x).dtype).to(x)
        M = uniform(m, x.shape, share=share()) < self.keep

        return (M * (x @ B)) @ B.mT / self.keep


class IsotropicDropout(Dropout):
    """The same law for each vector, without a matrix.

        x' = S r ( b x̂ + √(b (1 − b)) û ),    b = ‖P x̂‖²,

    where P projects onto a Haar-random subspace of k ~ Binomial(n, q) dimensions, so that
    b ~ Beta(k/2, (n − k)/2), and û is a uniform direction orthogonal to x̂. It costs three random
    numbers a feature. The gradient is that of this map for the b and û drawn.
    """

    def drop(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        m, z, w = self.draw(3)
        h = full(x)

        # A share of a Gaussian's squares is the Beta variable, whatever k the mask has.
        z2 = normal(z, h.shape, h.dtype, share()).square()
        kept = ((uniform(m, x.shape, share=share()) < self.keep) * z2).sum(dim=-1, keepdim=True)
        b = (kept / z2.sum(dim=-1, keepdim=True)).clamp_max(1.0)

        u = h / radius(h)
        w = normal(w, h.shape, h.dtype, share())
        w = w - (w * u).sum(dim=-1, keepdim=True) * u
        w = w / radius(w)
        r = (h * u).sum(dim=-1, keepdim=True)  # ‖x‖, with derivative zero at the origin

        return ((b * h + torch.sqrt(b * (1 - b)) * r * w) / self.keep).to(x.dtype)
