"""First weights of a layer, set in place: init(layer), drawing from torch's global generator.

    default           W, b ~ U(±1/√fan_in), as PyTorch does;
    gaussian          W_ij ~ N(0, gain² / fan_in);
    kaiming_normal    the same with gain √2, which makes up for the half that a ReLU drops;
    kaiming_uniform   W_ij ~ U(±gain √(3 / fan_in)), of the same variance;
    xavier_normal     W_ij ~ N(0, 2 gain² / (fan_in + fan_out));
    xavier_uniform    W_ij ~ U(±gain √(6 / (fan_in + fan_out))), of the same variance;
    orthogonal        W = gain · Q, Q Haar;
    sparse            most W_ij are 0, the others normal.

A law of W is isotropic when W and R W Q have one law for all rotations R, Q: the Gaussian and the
Haar-orthogonal are, the uniform and the sparse are not. The kernel of a convolution is taken as
the matrix outputs × (inputs · area). All but the default set biases to zero, the one isotropic
choice that needs no scale.

Sources: He et al., Delving Deep into Rectifiers (2015); Glorot and Bengio, Understanding the
difficulty of training deep feedforward neural networks (2010); Saxe et al., Exact solutions to
the nonlinear dynamics of learning in deep linear neural networks (2014); Martens, Deep learning
via Hessian-free optimization (2010).
"""

__all__ = [
    "Default", "Gaussian", "KaimingNormal", "KaimingUniform", "Orthogonal", "Sparse",
    "XavierNormal", "XavierUniform",
]  # fmt: skip

from abc import ABC, abstractmethod
from dataclasses import dataclass
from math import ceil, sqrt

import torch
from torch import Tensor, nn


class Default:
    """Keeps PyTorch's own first weights: W, b ~ U(−1/√fan_in, 1/√fan_in). Not isotropic."""

    def __call__(self, layer: nn.Module) -> None:
        return


@dataclass(frozen=True)
class Scaled(ABC):
    """Abstract initializer: sets W by its law, and b = 0.

    Arguments:
        gain: The factor by which W is multiplied; under N(0, gain² / fan_in), by which a layer
            scales the root mean square of its input.
    """

    gain: float = 1.0

    def __post_init__(self) -> None:
        if not self.gain > 0:
            raise ValueError(f"gain must be positive, got {self.gain:g}")

    def __call__(self, layer: nn.Module) -> None:
        self.draw_(layer.get_parameter("weight"))
        if getattr(layer, "bias", None) is not None:
            nn.init.zeros_(layer.get_parameter("bias"))

    @abstractmethod
    def draw_(self, weight: Tensor) -> None:
        """Sets W, of shape outputs × inputs or outputs × inputs × area."""


@dataclass(frozen=True)
class Gaussian(Scaled):
    """W_ij ~ N(0, gain² / fan_in), b = 0. Isotropic."""

    def draw_(self, weight: Tensor) -> None:
        nn.init.normal_(weight, std=self.gain / weight[0].numel() ** 0.5)


@dataclass(frozen=True)
class KaimingNormal(Gaussian):
    """W_ij ~ N(0, gain² / fan_in), b = 0: the Gaussian by another gain. Isotropic."""

    gain: float = sqrt(2)


@dataclass(frozen=True)
class KaimingUniform(Scaled):
    """W_ij ~ U(−a, a), a = gain √(3 / fan_in), b = 0. Not isotropic."""

    gain: float = sqrt(2)

    def draw_(self, weight: Tensor) -> None:
        a = self.gain * sqrt(3 / weight[0].numel())
        nn.init.uniform_(weight, -a, a)


@dataclass(frozen=True)
class XavierNormal(Scaled):
    """W_ij ~ N(0, 2 gain² / (fan_in + fan_out)), b = 0. Isotropic.

    A compromise between the scales of the signal and of the gradient. As PyTorch counts, fan_out
    of a convolution is outputs · area.
    """

    def draw_(self, weight: Tensor) -> None:
        nn.init.xavier_normal_(weight, self.gain)


@dataclass(frozen=True)
class XavierUniform(Scaled):
    """W_ij ~ U(−a, a), a = gain √(6 / (fan_in + fan_out)), b = 0. Not isotropic."""

    def draw_(self, weight: Tensor) -> None:
        nn.init.xavier_uniform_(weight, self.gain)


@dataclass(frozen=True)
class Orthogonal(Scaled):
    """W = gain · Q, Q Haar among matrices with orthonormal rows or columns, b = 0. Isotropic."""

    def draw_(self, weight: Tensor) -> None:
        nn.init.orthogonal_(weight, self.gain)


@dataclass(frozen=True)
class Sparse(Scaled):
    """W has the same number of zeros in each column, in random places, b = 0. Not isotropic.

    An input reaches a share 1 − s of the outputs, s = zeros / outputs. The other weights are
    N(0, gain² / (fan_in (1 − s))), on the scale of the Gaussian.

    Arguments:
        sparsity: The least share of zeros in a column, 0 ≤ sparsity < 1; rounded up to a number
            of zeros as PyTorch does, except that one weight of each column always stays.
    """

    sparsity: float = 0.9

    def __post_init__(self) -> None:
        super().__post_init__()

        if not 0 <= self.sparsity < 1:
            raise ValueError(f"sparsity must be at least 0 and below 1, got {self.sparsity:g}")

    @torch.no_grad()
    def draw_(self, weight: Tensor) -> None:
        matrix = torch.empty_like(weight).flatten(1)
        outputs, fan_in = matrix.shape
        zeros = min(ceil(self.sparsity * outputs), outputs - 1)
        std = self.gain * sqrt(outputs / ((outputs - zeros) * fan_in))

        # Half a zero less, for sparse_ rounds up, and s · outputs may be an eps above its number.
        nn.init.sparse_(matrix, (zeros - 0.5) / outputs, std)
        weight.copy_(matrix.view_as(weight))
