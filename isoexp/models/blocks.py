"""What a model is built of: constructors handed in, so that any activation meets any model."""

__all__ = [
    "Block",
    "Build",
    "Convolution",
    "Forms",
    "Init",
    "check_widths",
    "out_width",
    "picture_shape",
]

from collections.abc import Callable, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn

Build = Callable[[int], nn.Module]
"""Builds an activation, a norm or a dropout for a number of features."""

Init = Callable[[nn.Module], None]
"""Sets the first weights of a layer, in place, drawing from torch's global generator."""


class Convolution(nn.Conv2d):
    """A convolution of features along the last axis: the channels are the vector at a position."""

    def forward(self, input: Float[Tensor, "batch h w c"]) -> Float[Tensor, "batch h2 w2 c2"]:
        return super().forward(input.movedim(-1, 1)).movedim(1, -1)


class Forms(NamedTuple):
    """The functional forms that a model is handed; the model itself says whether it has biases.

    Arguments:
        activation: Builds an activation for a number of features.
        norm: Builds a normaliser for a number of features.
        init: Sets the first weights of a layer.
        dropout: Builds a dropout for a number of features.
        bias: Whether the layers have biases.
    """

    activation: Build
    norm: Build
    init: Init
    dropout: Build = nn.Identity
    bias: bool = True

    def linear(self, inputs: int, outputs: int) -> nn.Linear:
        """Returns a linear layer with its first weights."""

        layer = nn.Linear(inputs, outputs, bias=self.bias)
        self.init(layer)

        return layer

    def convolution(self, inputs: int, outputs: int, size: int = 3, stride: int = 1) -> Convolution:
        """Returns a convolution with its first weights; stride s divides a length, rounding up."""

        layer = Convolution(inputs, outputs, size, stride, padding=size // 2, bias=self.bias)
        self.init(layer)

        return layer


class Block(nn.Module):
    """A hidden layer: dropout(f(norm(W x + b))).

    Arguments:
        linear: x ↦ W x + b, a linear layer or a convolution.
        width: The number of features n that it gives.
        forms: The functional forms.
    """

    def __init__(self, linear: nn.Module, width: int, forms: Forms) -> None:
        super().__init__()

        self.linear = linear
        self.norm = forms.norm(width)
        self.activation = forms.activation(width)
        self.out_width = out_width(self.activation, width)
        self.dropout = forms.dropout(self.out_width)

    def forward(self, x: Float[Tensor, "*batch m"]) -> Float[Tensor, "*out n"]:
        return self.dropout(self.activation(self.norm(self.linear(x))))


def out_width(activation: nn.Module, width: int) -> int:
    """Returns the number of features that an activation gives for so many; as many, if untold."""

    return getattr(activation, "out_width", width)


def picture_shape(inputs: Sequence[int], instead: str) -> tuple[int, int, int]:
    """Returns the channels, height and width of a picture.

    Raises:
        ValueError: If inputs are no pictures; it says which models take them instead.
    """

    if len(inputs) != 3:
        raise ValueError(
            f"pictures (channels, height, width) are needed, got {tuple(inputs)}: use {instead}"
        )
    c, h, w = inputs

    return c, h, w


def check_widths(widths: list[int]) -> None:
    """Raises ValueError unless there is a feature in every layer."""

    for width in widths:
        if width < 1:
            raise ValueError(f"widths must be positive, got {width} in {widths}")
