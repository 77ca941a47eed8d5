"""Initializers whose law no rotation changes: W and R W Q are one, for all orthogonal R, Q.

    gaussian         W_ij ~ N(0, gain² / fan_in);
    kaiming_normal   the same with gain √2, for ReLU;
    xavier_normal    W_ij ~ N(0, 2 gain² / (fan_in + fan_out));
    orthogonal       W = gain · Q, Q Haar.

Sources: He et al., Delving Deep into Rectifiers (2015); Glorot and Bengio, Understanding the
difficulty of training deep feedforward neural networks (2010); Saxe et al., Exact solutions to
the nonlinear dynamics of learning in deep linear neural networks (2014).
"""

__all__ = ["Gaussian", "KaimingNormal", "Orthogonal", "XavierNormal"]

from dataclasses import dataclass
from math import sqrt

from torch import Tensor, nn

from .base import Scaled


@dataclass(frozen=True)
class Gaussian(Scaled):
    """W_ij ~ N(0, gain² / fan_in), b = 0. Isotropic."""

    def draw_(self, weight: Tensor) -> None:
        nn.init.normal_(weight, std=self.gain / weight[0].numel() ** 0.5)


@dataclass(frozen=True)
class KaimingNormal(Gaussian):
    """W_ij ~ N(0, gain² / fan_in), b = 0: the Gaussian by another gain. Isotropic.

    Arguments:
        gain: √2 makes up for the half of the signal that a ReLU drops.
    """

    gain: float = sqrt(2)


@dataclass(frozen=True)
class XavierNormal(Scaled):
    """W_ij ~ N(0, 2 gain² / (fan_in + fan_out)), b = 0. Isotropic.

    A compromise between the scales of the signal and of the gradient. As PyTorch counts, fan_out
    of a convolution is outputs · area.
    """

    def draw_(self, weight: Tensor) -> None:
        nn.init.xavier_normal_(weight, self.gain)


@dataclass(frozen=True)
class Orthogonal(Scaled):
    """W = gain · Q, Q Haar among matrices with orthonormal rows or columns, b = 0. Isotropic.

    Arguments:
        gain: The largest singular value.
    """

    def draw_(self, weight: Tensor) -> None:
        nn.init.orthogonal_(weight, self.gain)
