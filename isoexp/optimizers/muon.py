"""Muon: the momentum of a matrix, with its singular values made one.

    m ← μ m + (1 − μ) g,    d = √max(1, rows/columns) · U Vᵀ,    m = U S Vᵀ

The polar factor U Vᵀ is approached by steps X ← a X + (b XXᵀ + c (XXᵀ)²) X from X = m / ‖m‖_F,
five of which send each singular value from ‖m‖_F / 200 on to between 0.67 and 1.21. A polynomial
odd like this commutes with X → RXQ for all rotations, and so does Muon, to rounding: here the
steps are made in the dtype of the parameter. (torch.optim.Muon makes them in bfloat16, which has
a basis at the level of 2⁻⁸.)

A convolution's kernel is the matrix out × (in·k·k). A bias, a vector or a scalar is a matrix of
one column, whose polar factor is m / ‖m‖: no second optimizer is needed for them.

Source: Jordan et al., Muon: An optimizer for hidden layers in neural networks (2024), whose
a, b, c and factor √max(1, rows/columns) these are.
"""

__all__ = ["Muon", "orthogonalized"]

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim.optimizer import ParamsT

from ..geometry import full
from .together import Memory, Settings, Stacked, Together, matrices, unit_or_zero

A, B, C = 3.4445, -4.775, 2.0315


class Muon(Together):
    """Momentum, orthogonalised matrix by matrix.

    Arguments:
        lr: η, about the spectral norm of an update of a wide matrix.
        momentum: μ in [0, 1).
        nesterov: Whether the direction is of μ m + (1 − μ) g instead of m.
        ns_steps: The number of Newton–Schulz steps.
    """

    def __init__(
        self,
        params: ParamsT,
        lr: float = 0.01,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_steps: int = 5,
        weight_decay: float = 0.0,
    ) -> None:
        if not ns_steps >= 1:
            raise ValueError(f"ns_steps must be 1 or more, got {ns_steps}")

        super().__init__(
            params, lr, weight_decay, momentum=momentum, nesterov=nesterov, ns_steps=ns_steps
        )

    def memory(self, w: Stacked, settings: Settings) -> Memory:
        return {"momentum": torch.zeros_like(w)}

    def direction(self, g: Stacked, memory: Memory, step: int, settings: Settings) -> Stacked:
        mu = settings["momentum"]
        m = memory["momentum"].lerp_(g, 1 - mu)
        m = matrices(g.lerp(m, mu) if settings["nesterov"] else m)

        rows, columns = m.shape[1:]
        d = math.sqrt(max(1, rows / columns)) * orthogonalized(m, settings["ns_steps"])

        return d.to(g.dtype).view_as(g)


def orthogonalized(
    m: Float[Tensor, "K rows columns"], steps: int
) -> Float[Tensor, "K rows columns"]:
    """Returns the polar factors U Vᵀ of matrices, approached in steps; 0 of 0.

    Half precisions come back as float32.
    """

    m = full(m)
    tall = m.shape[1] > m.shape[2]

    x = unit_or_zero(m.mT if tall else m)  # XXᵀ is the smaller of the two
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=B, alpha=C), x, beta=A)

    return x.mT if tall else x
