"""Shampoo: a gradient divided by the roots of its Gram matrices.

    L ← L + GGᵀ,    R ← R + GᵀG,    m ← μ m + (1 − μ) L̂^(−1/4) G R̂^(−1/4),    d = m

with L̂ = L + ε I and R̂ = R + ε I. It commutes with W → RWQ for all rotations: Gram matrices and
their roots turn along. A convolution's kernel is the matrix out × (in·k·k); a bias, a vector or
a scalar is a matrix of one column.

Source: Gupta, Koren and Singer, Shampoo: Preconditioned Stochastic Tensor Optimization (2018),
its order 2; the momentum of what is preconditioned is that of Anil et al. (2020).
"""

__all__ = ["Shampoo"]

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..geometry import eigh
from .together import Together, check_momentum, matrices


class Shampoo(Together):
    """d = L̂^(−1/4) G R̂^(−1/4), with momentum. Its steps shrink as the Gram matrices grow.

    Arguments:
        params: The parameters, of any number of axes.
        lr: η, the rate.
        momentum: μ in [0, 1).
        eps: ε, to be small beside squared gradients.
        every: How many updates the roots are kept for: they cost most where layers are wide. A
            gradient in directions that they have not seen is multiplied by up to 1/√ε.
        weight_decay: λ, decoupled.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.3,
        momentum: float = 0.9,
        eps: float = 1e-6,
        every: int = 1,
        weight_decay: float = 0.0,
    ) -> None:
        check_momentum(momentum)
        if not eps > 0:
            raise ValueError(f"eps must be positive, got {eps:g}")
        if not every >= 1:
            raise ValueError(f"every must be 1 or more, got {every}")

        super().__init__(params, lr, weight_decay, momentum=momentum, eps=eps, every=every)

    def memory(
        self, w: Float[Tensor, " K *shape"], settings: dict[str, Any]
    ) -> dict[str, Float[Tensor, " K ..."]]:
        K, rows, columns = matrices(w).shape
        left, right = w.new_zeros(K, rows, rows), w.new_zeros(K, columns, columns)

        return {
            "momentum": torch.zeros_like(w),
            "left": left,
            "right": right,
            "left_root": left.clone(),
            "right_root": right.clone(),
        }

    def direction(
        self,
        g: Float[Tensor, " K *shape"],
        memory: dict[str, Tensor],
        step: int,
        settings: dict[str, Any],
    ) -> Float[Tensor, " K *shape"]:
        G = matrices(g)
        L, R = memory["left"], memory["right"]
        L.baddbmm_(G, G.mT)
        R.baddbmm_(G.mT, G)

        if (step - 1) % settings["every"] == 0:
            memory["left_root"].copy_(_inverse_root(L, settings["eps"]))
            memory["right_root"].copy_(_inverse_root(R, settings["eps"]))

        d = memory["left_root"] @ G @ memory["right_root"]

        return memory["momentum"].lerp_(d.view_as(g), 1 - settings["momentum"])


def _inverse_root(S: Float[Tensor, " K n n"], eps: float) -> Float[Tensor, " K n n"]:
    """Returns (S + ε I)^(−1/4) of Gram matrices; NaN where one is not finite."""

    spectrum, U = eigh(S)

    # Eigenvalues that are zero come out negative, by rounding.
    return U * (spectrum.clamp_min(0.0) + eps).pow(-0.25)[:, None] @ U.mT
