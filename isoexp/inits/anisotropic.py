"""Initializers that know the standard basis: the law of R W Q is not that of W.

    default           W, b ~ U(±1/√fan_in), as PyTorch does;
    kaiming_uniform   W_ij ~ U(±gain √(3 / fan_in));
    xavier_uniform    W_ij ~ U(±gain √(6 / (fan_in + fan_out)));
    sparse            most W_ij are 0, the others normal.

The uniform ones have the variances of kaiming_normal and xavier_normal: pairs that differ by
nothing but isotropy.

Sources: He et al., Delving Deep into Rectifiers (2015); Glorot and Bengio, Understanding the
difficulty of training deep feedforward neural networks (2010); Martens, Deep learning via
Hessian-free optimization (2010).
"""

__all__ = ["Default", "KaimingUniform", "Sparse", "XavierUniform"]

from dataclasses import dataclass
from math import ceil, sqrt

import torch
from torch import Tensor, nn

from .base import Scaled


class Default:
    """Keeps PyTorch's own first weights: W, b ~ U(−1/√fan_in, 1/√fan_in). Not isotropic."""

    def __call__(self, layer: nn.Module) -> None:
        return


@dataclass(frozen=True)
class KaimingUniform(Scaled):
    """W_ij ~ U(−a, a), a = gain √(3 / fan_in), b = 0. Not isotropic.

    Arguments:
        gain: √2 makes up for the half of the signal that a ReLU drops.
    """

    gain: float = sqrt(2)

    def draw_(self, weight: Tensor) -> None:
        a = self.gain * sqrt(3 / weight[0].numel())
        nn.init.uniform_(weight, -a, a)


@dataclass(frozen=True)
class XavierUniform(Scaled):
    """W_ij ~ U(−a, a), a = gain √(6 / (fan_in + fan_out)), b = 0. Not isotropic.

    As PyTorch counts, fan_out of a convolution is outputs · area.
    """

    def draw_(self, weight: Tensor) -> None:
        nn.init.xavier_uniform_(weight, self.gain)


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
