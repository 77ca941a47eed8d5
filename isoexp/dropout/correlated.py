"""Isotropic dropout whose basis and mask drift from one step to the next.

    x' = S B diag(D) Bᵀ x,    B ← B exp(τ·n),    n ~ N(0, s² I),

with τ the generators of rotations, a random walk on SO(n) (Bird 2025, App. D.1). The mask D is a
Markov chain: a dropped unit returns with probability Γ, a kept one stays with probability

    q = λ + |I|/|A| (λ − Γ),

|A| and |I| the numbers of kept and dropped units, so that a share λ is kept throughout. Where q
would be no probability, Γ is moved until it is one.
"""

__all__ = ["CorrelatedDropout"]

import torch
from jaxtyping import Float
from torch import Tensor

from ..noise import haar, normal, uniform
from .base import Dropout


class CorrelatedDropout(Dropout):
    """Isotropic dropout, correlated in time; one step of the walk a call, the same for all vectors.

    The masks of successive calls have a correlation of about (λ − Γ)/λ: less in narrow layers,
    where Γ is often clamped. In a recurrent network a call is a time step, elsewhere an update. λ
    is the probability to KEEP, as its place in Eqn 28 says, although the paper calls it that of
    dropout.

    Arguments:
        keep: λ in (0, 1], the probability of a unit to be kept.
        overlap: Γ in [0, 1], the probability with which a dropped unit returns, unless clamped;
            keep makes the masks independent, 0 makes them as lasting as can be.
        step: s, the standard deviation of the angle by which a call turns each plane, in radians.
    """

    basis: Tensor
    mask: Tensor

    def __init__(
        self, width: int, keep: float = 0.9, overlap: float = 0.5, step: float = 0.01
    ) -> None:
        super().__init__(width, keep)

        if not 0 <= overlap <= 1:
            raise ValueError(f"overlap must lie in [0, 1], got {overlap:g}: it is a probability")
        if not step >= 0:
            raise ValueError(f"step must not be negative, got {step:g}")

        self.overlap = overlap
        self.step = step

        first, second = self.draw(2)
        basis = haar(first, width, torch.get_default_dtype())
        self.register_buffer("basis", basis)
        self.register_buffer("mask", (uniform(second, (width,)) < keep).to(basis))

    def drop(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        B, D = (t.to(x) for t in self.walk())

        return (D * (x @ B)) @ B.mT / self.keep

    @torch.no_grad()
    def walk(self) -> tuple[Float[Tensor, "n n"], Float[Tensor, " n"]]:
        """Makes one step of the walk, in place; returns the basis and the mask."""

        b, m = self.draw(2)

        n = self.step * normal(b, self.basis.shape, self.basis.dtype)
        with torch.autocast(self.basis.device.type, enabled=False):
            B = self.basis @ torch.linalg.matrix_exp(n.triu(1) - n.triu(1).mT)
            B = B @ (3 * torch.eye(self.width).to(B) - B.mT @ B) / 2  # or roundings add up
        self.basis.copy_(B)

        keep = torch.where(self.mask > 0, *_rates(self.mask, self.keep, self.overlap))
        self.mask.copy_(uniform(m, self.mask.shape).to(keep) < keep)

        return self.basis.clone(), self.mask.clone()


def _rates(
    mask: Float[Tensor, " n"],
    keep: float | Float[Tensor, ""],
    overlap: float | Float[Tensor, ""],
) -> tuple[Float[Tensor, ""], Float[Tensor, ""]]:
    """Returns q and Γ, the latter clamped so that both are probabilities (Eqn 28)."""

    A = mask.sum()
    I = len(mask) - A  # noqa: E741  (the paper's letter)
    mixed = (A > 0) & (I > 0)
    A, I = A.clamp_min(1), I.clamp_min(1)  # noqa: E741

    low, high = keep + A / I * (keep - 1), keep + A / I * keep
    gamma = (torch.zeros_like(A) + overlap).clamp_max(1.0).minimum(high).maximum(low).clamp_min(0.0)
    q = keep + I / A * (keep - gamma)

    return torch.where(mixed, q, keep), torch.where(mixed, gamma, keep)
