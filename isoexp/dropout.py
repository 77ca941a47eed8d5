"""Dropout, built as dropout(width) and acting along the last axis, in ensembles too.

Elementwise dropout (Eqn 26) sends x to S M∘x, S = 1/q, M_i ~ Bernoulli(q): whole axes are dropped,
and the standard basis is special. Isotropic dropout does so in a Haar-random basis,

    x' = S B diag(M) Bᵀ x.                                      (Bird 2025, Eqn 27, corrected)

As printed, Eqn 27 turns the mask alone, as a vector: B M has mean 0, and so would x'. B and M are
drawn anew for every call, or drift from one to the next (App. D.1).

Each draws from a key of its own (isoexp.noise), so that a network has the same masks in an ensemble
and alone. torch.nn.Dropout draws from a generator that networks share: a user's model that is
trained alone may hold it, but it is no choice here.
"""

__all__ = [
    "CorrelatedDropout", "Dropout", "ElementwiseDropout", "HaarDropout", "IsotropicDropout",
]  # fmt: skip

from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from .geometry import full, radius
from .noise import Noisy, haar, normal, uniform
from .parallel import share


class Dropout(Noisy, ABC):
    """Abstract random map of mean x in training; the identity in evaluation, and for keep = 1.

    Arguments:
        width: The number of features n ≥ 1.
        keep: The share q of the features to keep, in (0, 1].
    """

    def __init__(self, width: int, keep: float = 0.9) -> None:
        super().__init__()

        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        if not 0 < keep <= 1:
            raise ValueError(f"keep must lie in (0, 1], got {keep:g}: it is the share that is kept")

        self.width = width
        self.keep = keep
        self.drops = keep < 1

    def extra_repr(self) -> str:
        return f"{self.width}, keep={self.keep:g}"

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return self.drop(x) if self.training and self.drops else x

    @abstractmethod
    def drop(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Drops a part of x, and scales the rest so that its mean is x."""


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


class CorrelatedDropout(Dropout):
    """Isotropic dropout whose basis and mask drift; one step a call, the same for all vectors.

        x' = S B diag(D) Bᵀ x,    B ← B exp(τ·n),    n ~ N(0, s² I),

    with τ the generators of rotations, a random walk on SO(n). The mask D is a Markov chain: a
    dropped unit returns with probability Γ, a kept one stays with probability

        q = λ + |I|/|A| (λ − Γ),                                           (Bird 2025, Eqn 28)

    |A| and |I| the numbers of kept and dropped units, so that a share λ is kept throughout. Where
    q would be no probability, Γ is moved until it is one.

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
    mask: Float[Tensor, " n"], keep: float | Float[Tensor, ""], overlap: float | Float[Tensor, ""]
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
