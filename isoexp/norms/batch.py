"""Normalisers by the moments of a batch, which they remember for evaluation.

    batch       x_i ↦ g_i (x_i − μ_i) / √(Σ_ii + eps) + b_i;
    iso_batch   x ↦ (x − μ) / √(tr Σ / n + eps);
    chi         x ↦ x / m,   m the running mean of ‖x‖.

μ and Σ are the mean and the biased covariance of the vectors of the batch, over all its leading
axes together; in evaluation they are the running ones, Σ unbiased, as PyTorch has it. The second
and the third commute with every rotation of the features (of the batches of the past too); the
first divides coordinate by coordinate and does not.

Source: Bird, Isotropic Deep Learning: You Should Consider Your (Inductive) Biases (2025), App. C.
"""

__all__ = ["BatchNorm", "ChiNorm", "IsotropicBatchNorm"]

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import full, radius
from ..parallel import mean, share
from .base import Norm, checked_eps, checked_momentum, moments, vectors


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of each coordinate, PyTorch's; does not commute with rotations.

    Arguments:
        width: The number of features n.
        momentum: The weight of the newest batch in the running moments. PyTorch's None, the plain
            average of all batches, is refused: its count cannot be batched over networks.
        eps: Added to the variances.
        affine: Whether there are a learnt gain and bias for each coordinate.
    """

    def __init__(
        self, width: int, momentum: float | None = 0.1, eps: float = 1e-5, affine: bool = True
    ) -> None:
        super().__init__(width, checked_eps(eps), checked_momentum(momentum), affine)

    def forward(self, input: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        x = vectors(input) if self.training else input.reshape(-1, input.shape[-1])
        shared = self.training and share() is not None

        return (self.shared(x) if shared else super().forward(x)).reshape(input.shape)

    def shared(self, x: Float[Tensor, "N n"]) -> Float[Tensor, "N n"]:
        """Normalises vectors that are a share of the batch by its moments: PyTorch sees no more."""

        h = full(x)
        running = self.get_buffer("running_mean"), self.get_buffer("running_var")
        momentum = checked_momentum(self.momentum)
        mu, variance = moments(h, lambda v, mu: (v - mu).square().mean(dim=0), *running, momentum)
        self.get_buffer("num_batches_tracked").add_(1)

        y = (h - mu) / (variance + self.eps).sqrt()

        return (y * self.weight + self.bias if self.affine else y).to(x.dtype)


class IsotropicBatchNorm(Norm):
    """Batch normalisation by one scale for all coordinates, (x − μ) / √(tr Σ / n + eps).

    Commutes with O(n). It has no gain and no bias, for the next layer has both.

    Arguments:
        momentum: The weight of the newest batch in the running moments.
        eps: Added to the variance.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(self, width: int, momentum: float = 0.1, eps: float = 1e-5) -> None:
        super().__init__(width)

        self.momentum = checked_momentum(momentum)
        self.eps = checked_eps(eps)
        self.register_buffer("running_mean", torch.zeros(width))
        self.register_buffer("running_var", torch.ones(()))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        h = full(x)
        mu, variance = running = self.running_mean, self.running_var
        if self.training:
            mu, variance = moments(
                h, lambda v, mu: (v - mu).square().mean(), *running, self.momentum
            )

        return ((h - mu) / (variance + self.eps).sqrt()).to(x.dtype)


class ChiNorm(Norm):
    """Division by one scalar, x ↦ x / m, m the running mean of ‖x‖; commutes with O(n).

    In training m takes in the batch first, m ← (1 − momentum) m + momentum · mean ‖x‖, and is then
    a constant to the gradient; the first batch sets it outright. In evaluation it is frozen. A
    normal vector's norm has the chi distribution, hence the name.

    Arguments:
        momentum: The weight of the newest batch in m.
    """

    running_norm: Tensor
    num_batches_tracked: Tensor

    def __init__(self, width: int, momentum: float = 0.1) -> None:
        super().__init__(width)

        self.momentum = checked_momentum(momentum)
        self.register_buffer("running_norm", torch.ones(()))
        self.register_buffer("num_batches_tracked", torch.zeros((), dtype=torch.long))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        m = self.mean_norm(x) if self.training else self.running_norm

        return (full(x) / m).to(x.dtype)

    def mean_norm(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, ""]:
        """Takes the batch into the running m; returns it."""

        if x.numel() == 0:
            raise ValueError("one vector or more is needed in training, got none")

        # Never 0: radius is at least eps.
        now = mean(radius(x.detach()).mean())
        m = (1 - self.momentum) * self.running_norm + self.momentum * now
        m = torch.where(self.num_batches_tracked == 0, now, m)

        self.running_norm.copy_(m)
        self.num_batches_tracked.add_(1)

        return m
