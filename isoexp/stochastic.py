"""The stochastically isotropic form of any function: it acts in a basis drawn anew each time,

    f_B(x) = B f(Bᵀ x),    B Haar.                              (Bird 2025, App. D)

Whatever axes f singles out, over the draws no basis is special: f_B(Rx) and R f_B(x) have one law.
"""

__all__ = ["Stochastic", "square"]

from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from .geometry import full
from .noise import Noisy, haar


class Stochastic(Noisy):
    """B f(Bᵀ x), with one B for all vectors of a call.

    B is drawn from O(n). The paper's SO(n) gives the same law where f commutes with some
    reflection; elementwise functions commute with the exchange of two coordinates. In evaluation
    B stays, so that numbers repeat.
    """

    def __init__(self, width: int, form: Callable[[int], nn.Module]) -> None:
        super().__init__()

        self.form = square(form, width)
        self.width = width

    def extra_repr(self) -> str:
        return f"{self.width}"

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        (key,) = self.draw(1)
        B = haar(key, self.width, full(x).dtype).to(x)

        return self.form(x @ B) @ B.mT


def square(form: Callable[[int], nn.Module], width: int) -> nn.Module:
    """Builds a form for n features; raises ValueError unless n features come out of it."""

    module = form(width)
    m = getattr(module, "out_width", width)
    if m != width:
        raise ValueError(f"form must map R^n to itself, got one from {width} to {m} features")

    return module
