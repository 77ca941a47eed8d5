"""Any activation in a basis of its own, drawn once: the causal test of basis alignment.

    f_B(x) = B f(Bᵀ x),    B Haar, fixed.                       (Bird 2025, Eqn 2, in a basis B)

The function singles out the columns of B as f does the axes, so that what is due to the basis of
f must move from the axes to B. What is due to an optimizer that treats each coordinate by itself
stays at the axes. An isotropic f is left as it is.
"""

__all__ = ["Rotated"]

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..geometry import random_orthogonal
from .base import Activation


class Rotated(Activation):
    """B f(Bᵀ x), where B is drawn at construction from torch's global generator.

    B is a buffer, `basis`: saved with the network, moved with it, and not trained. Its columns are
    the basis vectors.

    Arguments:
        width: The number of features n.
        form: Builds f for n features.
    """

    basis: Tensor

    def __init__(self, width: int, form: Callable[[int], nn.Module]) -> None:
        super().__init__(width)

        self.form = form(width)
        self.register_buffer("basis", random_orthogonal(width).to(torch.get_default_dtype()))

        m = getattr(self.form, "out_width", width)
        if m != width:
            raise ValueError(f"form must map R^n to itself, got one from {width} to {m} features")

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        B = self.basis.to(x)

        return self.form(x @ B) @ B.mT
