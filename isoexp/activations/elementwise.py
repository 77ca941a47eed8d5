"""Elementwise activations: each coordinate is bent by itself.

    f(x)_i = σ(x_i).                                                    (Bird 2025, Eqns 1–2)

It commutes with permutations of the coordinates (odd σ: with signed permutations too) and with
no other rotation, so the standard basis of the layer is special.
"""

__all__ = [
    "ELU",
    "Abs",
    "Elementwise",
    "GELU",
    "Identity",
    "LeakyReLU",
    "ReLU",
    "SiLU",
    "Sigmoid",
    "Softplus",
    "Tanh",
]

from abc import abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

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
    """σ(x) = x for x ≥ 0, slope · x below. Positively homogeneous.

    Arguments:
        slope: The slope below zero.
    """

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
    """σ(x) = x for x > 0, α (e^x − 1) below.

    Arguments:
        alpha: The depth α > 0 to which negative inputs saturate.
    """

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
