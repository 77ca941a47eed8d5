"""ZCA whitening: a batch comes out centred, uncorrelated and of variance one in every direction.

    x ↦ Σ_ε^(−1/2) (x − μ),    Σ_ε = Σ + eps (tr Σ / n) I.

Of all whitenings A (x − μ), A Σ Aᵀ = I, it is the symmetric one, which commutes with every
rotation of the features: Σ → R Σ Rᵀ takes its root along. Each direction is scaled by itself, so
it sees the basis of the data, never the basis of the layer.

The ridge is relative to the mean variance tr Σ / n: directions in which a batch does not vary, as
when it has fewer than n + 1 vectors, are magnified 1/√eps times more than the average one.

Source: Bell and Sejnowski, The "independent components" of natural scenes are edge filters
(1997); its law of derivatives: Bhatia, Matrix Analysis, section V.3.
"""

__all__ = ["Whitening", "inverse_root"]

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry import eigh, full
from .base import Norm, checked_eps, checked_momentum, moments


def inverse_root(S: Float[Tensor, "n n"], shift: Float[Tensor, ""]) -> Float[Tensor, "n n"]:
    """Returns (S + shift I)^(−1/2) for S positive semidefinite, shift > 0; NaN if S is not finite.

    With S = U diag(λ) Uᵀ its derivative along dS is U (K ∘ Uᵀ dS U) Uᵀ (Daleckii and Krein), K the
    divided differences of t^(−1/2). Simplified, they divide by no λ_i − λ_j,

        K_ij = −1 / (√λ_i √λ_j (√λ_i + √λ_j)),

    so that it is exact where eigenvalues coincide, as the derivative of eigh is not. The first
    derivative only: U and λ are constants to the second.
    """

    spectrum, U = eigh(S.detach())
    root = (spectrum.clamp_min(0) + shift.detach()).sqrt()  # rounding takes a zero below zero
    K = -1 / (root[:, None] * root * (root[:, None] + root))

    # A − A is zero in value, and carries the derivative.
    A = U.T @ S @ U + shift * torch.eye(len(S), dtype=S.dtype, device=S.device)

    return U / root @ U.T + U @ (K * (A - A.detach())) @ U.T


class Whitening(Norm):
    """ZCA whitening by batches, Σ_ε^(−1/2) (x − μ); commutes with O(n).

    In training Σ is the biased covariance of the batch, over all its leading axes together; in
    evaluation the running one, unbiased.

    Arguments:
        momentum: The weight of the newest batch in the running moments.
        eps: The ridge, as a share of the mean variance.
    """

    running_mean: Tensor
    running_cov: Tensor

    def __init__(self, width: int, momentum: float = 0.1, eps: float = 1e-3) -> None:
        super().__init__(width)

        self.momentum = checked_momentum(momentum)
        self.eps = checked_eps(eps)
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_cov", torch.eye(width))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        # Products in half precision would leave no root to take.
        with torch.autocast(x.device.type, enabled=False):
            h = full(x)
            mu, S = running = self.running_mean, self.running_cov
            if self.training:
                mu, S = moments(h, _covariance, *running, self.momentum)

            # tr Σ, since PyTorch's trace warns when compiled; eps² for vectors that are all alike.
            trace = (S * torch.eye(self.width, dtype=S.dtype, device=S.device)).sum()
            shift = self.eps * trace / self.width + torch.finfo(S.dtype).eps ** 2

            return ((h - mu) @ inverse_root(S, shift)).to(x.dtype)


def _covariance(v: Float[Tensor, "N n"], mu: Float[Tensor, " n"]) -> Float[Tensor, "n n"]:
    return (v - mu).T @ (v - mu) / len(v)
