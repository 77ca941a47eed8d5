"""Normalisers by the moments of a batch, which they remember for evaluation.

    batch       x_i ↦ g_i (x_i − μ_i) / √(Σ_ii + eps) + b_i;
    iso_batch   x ↦ (x − μ) / √(tr Σ / n + eps);
    chi         x ↦ x / m,   m the running mean of ‖x‖;
    zca         x ↦ Σ_ε^(−1/2) (x − μ),   Σ_ε = Σ + eps (tr Σ / n) I.

μ and Σ are the mean and the biased covariance of the vectors of the batch, over all its leading
axes together; in evaluation they are the running ones, Σ unbiased, as PyTorch has it. All but the
first commute with every rotation of the features (of the batches of the past too); the first
divides coordinate by coordinate and does not.

Source: Bird, Isotropic Deep Learning: You Should Consider Your (Inductive) Biases (2025), App. C.
"""

__all__ = ["BatchNorm", "ChiNorm", "IsotropicBatchNorm", "Whitening", "inverse_root"]

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import eigh, full, radius
from ..parallel import mean, share, whole
from .vector import Norm


def vectors(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "N n"]:
    """Returns all vectors of a batch as rows; raises ValueError of one: it has no variance."""

    rows = x.reshape(-1, x.shape[-1])
    if whole(len(rows)) < 2:
        raise ValueError(
            f"more than one vector is needed in training, got {len(rows)}: choose a batch_size "
            "that leaves no batch of one"
        )

    return rows


def moments(
    x: Float[Tensor, "*batch n"],
    second: Callable[[Float[Tensor, "N n"], Float[Tensor, " n"]], Float[Tensor, "*shape"]],
    running_mean: Float[Tensor, " n"],
    running_second: Float[Tensor, "*shape"],
    momentum: float,
) -> tuple[Float[Tensor, " n"], Float[Tensor, "*shape"]]:
    """Returns the mean μ of a batch and its biased second moment, second(vectors, μ).

    The running ones are updated in place, r ← (1 − momentum) r + momentum · m, the second with the
    unbiased moment; they are constants to the gradient.
    """

    rows = vectors(x)
    N = whole(len(rows))
    mu = mean(rows.mean(dim=0))
    S = mean(second(rows, mu))

    for running, m in ((running_mean, mu), (running_second, S * N / (N - 1))):
        running.copy_((1 - momentum) * running + momentum * m.detach())

    return mu, S


def checked_momentum(momentum: float | None) -> float:
    """Returns the momentum; raises ValueError unless 0 < momentum ≤ 1."""

    if momentum is None or not 0 < momentum <= 1:
        given = "None" if momentum is None else f"{momentum:g}"
        raise ValueError(f"momentum must be above 0 and at most 1, got {given}; PyTorch's is 0.1")

    return momentum


def checked_eps(eps: float) -> float:
    """Returns eps; raises ValueError unless eps > 0."""

    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps:g}: vectors that are all alike need it")

    return eps


class BatchNorm(nn.BatchNorm1d):
    """Batch normalisation of each coordinate, PyTorch's; does not commute with rotations.

    Arguments:
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

    centres = True

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


def inverse_root(S: Float[Tensor, "n n"], shift: Float[Tensor, ""]) -> Float[Tensor, "n n"]:
    """Returns (S + shift I)^(−1/2) for S positive semidefinite, shift > 0; NaN if S is not finite.

    With S = U diag(λ) Uᵀ its derivative along dS is U (K ∘ Uᵀ dS U) Uᵀ (Daleckii and Krein; Bhatia,
    Matrix Analysis, section V.3), K the divided differences of t^(−1/2). Simplified, they divide by
    no λ_i − λ_j,

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

    Of all whitenings A (x − μ), A Σ Aᵀ = I, it is the symmetric one: Σ → R Σ Rᵀ takes its root
    along. Each direction is scaled by itself, so it sees the basis of the data, never the basis of
    the layer. The ridge is relative to the mean variance tr Σ / n: directions in which a batch does
    not vary, as when it has fewer than n + 1 vectors, are magnified 1/√eps times more than the
    average one.

    Source: Bell and Sejnowski, The "independent components" of natural scenes are edge filters
    (1997).

    Arguments:
        momentum: The weight of the newest batch in the running moments.
        eps: The ridge, as a share of the mean variance.
    """

    centres = True

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
                mu, S = moments(
                    h, lambda v, mu: (v - mu).T @ (v - mu) / len(v), *running, self.momentum
                )

            # tr Σ, since PyTorch's trace warns when compiled; eps² for vectors that are all alike.
            trace = (S * torch.eye(self.width, dtype=S.dtype, device=S.device)).sum()
            shift = self.eps * trace / self.width + torch.finfo(S.dtype).eps ** 2

            return ((h - mu) @ inverse_root(S, shift)).to(x.dtype)
