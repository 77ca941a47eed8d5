"""Elementwise activations: each coordinate is bent by itself.

    f(x)_i = σ(x_i).                                                    (Bird 2025, Eqns 1–2)

It commutes with permutations of the coordinates (odd σ: with signed permutations too) and with
no other rotation, so the standard basis of the layer is special; or another one, if it is rotated.
"""

__all__ = [
    "ELU", "Abs", "Elementwise", "GELU", "Identity", "LeakyReLU", "ReLU", "Rotated", "SiLU",
    "Sigmoid", "Softplus", "Tanh",
]  # fmt: skip

from abc import abstractmethod
from collections.abc import Callable

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import random_orthogonal
from ..stochastic import square
from .base import Activation


class Elementwise(Activation):
    """Abstract elementwise activation; a member of the family is its scalar function σ."""

    @abstractmethod
    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Returns σ(x_i) for each coordinate."""

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return self.scalar(x)


class Identity(Elementwise):
    """The identity, σ(x) = x: elementwise and isotropic at once, for linear controls."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return x


class Tanh(Elementwise):
    """σ(x) = tanh x. Odd; rays end in the corners {−1, 0, 1}^n (Eqn 6)."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return torch.tanh(x)


class Sigmoid(Elementwise):
    """σ(x) = 1 / (1 + e^−x). σ(0) = ½, so small inputs collapse onto (½, …, ½)."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return torch.sigmoid(x)


class ReLU(Elementwise):
    """σ(x) = max(x, 0). Positively homogeneous: static refraction, but no dynamic one."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return torch.relu(x)


class LeakyReLU(Elementwise):
    """σ(x) = x for x ≥ 0, slope · x below. Positively homogeneous."""

    def __init__(self, width: int, slope: float = 0.01) -> None:
        super().__init__(width)

        self.slope = slope

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return F.leaky_relu(x, self.slope)


class GELU(Elementwise):
    """σ(x) = x Φ(x), Φ the normal distribution function."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return F.gelu(x)


class SiLU(Elementwise):
    """σ(x) = x / (1 + e^−x)."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return F.silu(x)


class Softplus(Elementwise):
    """σ(x) = log(1 + e^x). σ(0) = log 2."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return -F.logsigmoid(-x)  # F.softplus is the identity above 20


class ELU(Elementwise):
    """σ(x) = x for x > 0, α (e^x − 1) below, with α > 0."""

    def __init__(self, width: int, alpha: float = 1.0) -> None:
        super().__init__(width)

        if not alpha > 0:
            raise ValueError(f"alpha must be positive, got {alpha:g}; alpha → 0 is activation=relu")

        self.alpha = alpha

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return F.elu(x, self.alpha)


class Abs(Elementwise):
    """σ(x) = |x|. Positively homogeneous; even, so x and −x are one."""

    def scalar(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return x.abs()


class Rotated(Activation):
    """Any activation in a basis of its own, drawn once: the causal test of basis alignment.

        f_B(x) = B f(Bᵀ x),    B Haar, fixed.                   (Bird 2025, Eqn 2, in a basis B)

    The function singles out the columns of B as f does the axes, so that an effect of f's basis
    must move from the axes to B. An effect of an optimizer that treats each coordinate by itself
    stays at the axes. An isotropic f is left as it is.

    B is drawn at construction from torch's global generator. It is a buffer, `basis`: saved with
    the network, moved with it, and not trained.
    """

    basis: Tensor

    def __init__(self, width: int, form: Callable[[int], nn.Module]) -> None:
        super().__init__(width)

        self.form = square(form, width)
        self.register_buffer("basis", random_orthogonal(width).to(torch.get_default_dtype()))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        B = self.basis.to(x)

        return self.form(x @ B) @ B.mT
