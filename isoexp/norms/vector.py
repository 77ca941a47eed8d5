"""Normalisers of each vector by itself, whatever else is in the batch.

    L2            x ↦ x / ‖x‖,                      0 ↦ 0;
    affine-like   x ↦ (W x + b) / √(‖x‖² + 1).

L2 commutes with every rotation, f(Rx) = R f(x) for R in O(n), and so does the affine-like one
when its weights turn along: W → R W Rᵀ, b → R b. LayerNorm does not, for its mean singles out the
vector (1, …, 1), nor does any gain per coordinate.

Source: Bird, Isotropic Deep Learning: You Should Consider Your (Inductive) Biases (2025), App. C.
"""

__all__ = ["AffineLike", "L2Norm", "Norm"]

from abc import ABC, abstractmethod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import radius


class Norm(nn.Module, ABC):
    """Abstract map of a layer's n features to themselves, along the last axis.

    `centres` says whether it subtracts the mean over the batch, and with it a bias before it.
    """

    centres = False

    def __init__(self, width: int) -> None:
        super().__init__()

        self.width = width

    def extra_repr(self) -> str:
        return f"{self.width}"

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]: ...


class L2Norm(Norm):
    """The projection onto the unit sphere, x ↦ x / ‖x‖; commutes with O(n).

    Inside the ball ‖x‖ < eps of the dtype it is x / eps, so that 0 goes to 0 and has a derivative.

    Example:
        >>> L2Norm(2)(torch.tensor([3.0, 4.0]))
        tensor([0.6000, 0.8000])
    """

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return (x / radius(x)).to(x.dtype)


class AffineLike(Norm):
    """The affine map of the point (x, 1) projected onto the unit sphere of R^(n+1).

        z = (W x + b) / √(‖x‖² + 1)

    Affine near the origin, W x̂ far from it. Commutes with O(n) jointly with W → R W Rᵀ, b → R b,
    so that at the start, W = I and b = 0, it commutes as it is.
    """

    def __init__(self, width: int) -> None:
        super().__init__(width)

        self.weight = nn.Parameter(torch.eye(width))
        self.bias = nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        r = radius(x)
        h = torch.hypot(r, torch.ones_like(r))  # ‖(x, 1)‖, which no finite norm overflows

        return (F.linear((x / h).to(x.dtype), self.weight) + self.bias / h).to(x.dtype)
