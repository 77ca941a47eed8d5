"""Shampoo: a gradient divided by the roots of its Gram matrices.

    L ← L + GGᵀ,    R ← R + GᵀG,    m ← μ m + (1 − μ) L̂^(−1/4) G R̂^(−1/4),    d = m

with L̂ = L + ε I and R̂ = R + ε I. It commutes with W → RWQ for all rotations: Gram matrices and
their roots turn along. A convolution's kernel is the matrix out × (in·k·k); a bias, a vector or
a scalar is a matrix of one column.

Source: Gupta, Koren and Singer, Shampoo: Preconditioned Stochastic Tensor Optimization (2018),
its order 2; momentum of the preconditioned gradient as in Anil et al. (2020).
"""

__all__ = ["Shampoo"]

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..geometry import eigh
from .together import Memory, Settings, Stacked, Together, matrices


class Shampoo(Together):
    """d = L̂^(−1/4) G R̂^(−1/4), with momentum; steps shrink as the Gram matrices grow.

    Arguments:
        lr: η, the rate.
        momentum: μ in [0, 1).
        eps: ε, to be small beside squared gradients.
        every: The number of updates between two computations of the roots, which cost most where
            layers are wide. A gradient in new directions is multiplied by up to 1/√ε meanwhile.
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
        if not eps > 0:
            raise ValueError(f"eps must be positive, got {eps:g}")
        if not every >= 1:
            raise ValueError(f"every must be 1 or more, got {every}")

        super().__init__(params, lr, weight_decay, momentum=momentum, eps=eps, every=every)

    def memory(self, w: Stacked, settings: Settings) -> Memory:
        K, rows, columns = matrices(w).shape
        left, right = w.new_zeros(K, rows, rows), w.new_zeros(K, columns, columns)

        return {
            "momentum": torch.zeros_like(w),
            "left": left,
            "right": right,
            "left_root": left.clone(),
            "right_root": right.clone(),
        }

    def direction(self, g: Stacked, memory: Memory, step: int, settings: Settings) -> Stacked:
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
