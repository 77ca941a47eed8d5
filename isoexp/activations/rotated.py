"""Any activation in a basis of its own, drawn once: the causal test of basis alignment.

    f_B(x) = B f(Bᵀ x),    B Haar, fixed.                       (Bird 2025, Eqn 2, in a basis B)

The function singles out the columns of B as f does the axes, so that an effect of f's basis must
move from the axes to B. An effect of an optimizer that treats each coordinate by itself stays at
the axes. An isotropic f is left as it is.
"""

__all__ = ["Rotated"]

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import random_orthogonal
from ..stochastic import square
from .base import Activation


class Rotated(Activation):
    """B f(Bᵀ x), where B is drawn at construction from torch's global generator.

    B is a buffer, `basis`: saved with the network, moved with it, and not trained. Its columns are
    the basis vectors.

    Arguments:
        form: Builds f for n features.
    """

    basis: Tensor

    def __init__(self, width: int, form: Callable[[int], nn.Module]) -> None:
        super().__init__(width)

        self.form = square(form, width)
        self.register_buffer("basis", random_orthogonal(width).to(torch.get_default_dtype()))

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        B = self.basis.to(x)

        return self.form(x @ B) @ B.mT
