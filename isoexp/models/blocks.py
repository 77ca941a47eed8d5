"""What a model is built of: constructors handed in, so that any activation meets any model.

Samples of any shape are read as sequences: of vectors along the last axis, one a step.
"""

__all__ = [
    "Block", "Build", "Convolution", "Forms", "Init", "Shape", "chain", "check_widths",
    "out_width", "picture_shape", "steps_of", "to_patches", "to_rows",
]  # fmt: skip

from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

Build = Callable[[int], nn.Module]
"""Builds an activation, a norm or a dropout for a number of features."""

Init = Callable[[nn.Module], None]
"""Sets the first weights of a layer, in place, drawing from torch's global generator."""

Shape = Sequence[int]
"""The shape of one sample, without the axis of samples."""


def _as_torch(layer: nn.Module) -> None:
    """Leaves the weights as torch draws them."""


class Convolution(nn.Conv2d):
    """A convolution of features along the last axis: the channels are the vector at a position."""

    def forward(self, input: Float[Tensor, "batch h w c"]) -> Float[Tensor, "batch h2 w2 c2"]:
        return super().forward(input.movedim(-1, 1)).movedim(1, -1)


class Forms(NamedTuple):
    """The functional forms that a model is handed; the model itself says whether it has biases."""

    activation: Build = nn.Identity
    norm: Build = nn.Identity
    init: Init = _as_torch
    dropout: Build = nn.Identity
    bias: bool = True

    def centred(self, width: int) -> "Forms":
        """Returns the forms of layers whose outputs norms alone read, of so many features.

        They have no bias where norms subtract the mean over the batch: the function could not
        depend on it, and its gradient, pure rounding, is a step of full length to some optimizers.
        """

        norm = self.norm(width)
        centres = isinstance(norm, _BatchNorm) or getattr(norm, "centres", False)

        return self._replace(bias=self.bias and not centres)

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
    """A hidden layer: dropout(f(norm(W x + b))), W x + b linear or a convolution, of n features."""

    def __init__(self, linear: nn.Module, width: int, forms: Forms) -> None:
        super().__init__()

        self.linear = linear
        self.norm = forms.norm(width)
        self.activation = forms.activation(width)
        self.out_width = out_width(self.activation, width)
        self.dropout = forms.dropout(self.out_width)

    def forward(self, x: Float[Tensor, "*batch m"]) -> Float[Tensor, "*out n"]:
        return self.dropout(self.activation(self.norm(self.linear(x))))


def chain(
    layer: Callable[[Forms, int, int], nn.Module], n: int, widths: Iterable[int], forms: Forms
) -> tuple[list[Block], int]:
    """Returns a block for each width, of layer(forms, inputs, outputs), and the last's features."""

    blocks = []
    for width in widths:
        blocks.append(Block(layer(forms.centred(width), n, width), width, forms))
        n = blocks[-1].out_width

    return blocks, n


def out_width(activation: nn.Module, width: int) -> int:
    """Returns the number of features that an activation gives for so many; as many, if untold."""

    return getattr(activation, "out_width", width)


def picture_shape(inputs: Shape, instead: str) -> tuple[int, int, int]:
    """Returns (c, h, w) of a picture; raises ValueError of other inputs, with models for them."""

    if len(inputs) != 3:
        raise ValueError(
            f"pictures (channels, height, width) are needed, got {tuple(inputs)}: use {instead}"
        )
    c, h, w = inputs

    return c, h, w


def check_widths(widths: Sequence[int], some: str = "") -> None:
    """Raises ValueError unless every layer has a feature, and there are some if this says which."""

    if some and not widths:
        raise ValueError(f"widths must name a {some}, got none: give one, as in widths=[16]")
    for width in widths:
        if width < 1:
            raise ValueError(f"widths must be positive, got {width} in {list(widths)}")


def steps_of(inputs: Shape) -> tuple[int, int]:
    """Returns the steps and the features a step of a sample.

    A sequence of vectors (T, D) is what it is, one of numbers (T,) has one feature a step, and a
    picture (c, h, w) is read row by row: h steps of c·w features.
    """

    if len(inputs) == 3:
        return inputs[1], inputs[0] * inputs[2]
    if len(inputs) == 2:
        return inputs[0], inputs[1]
    if len(inputs) == 1:
        return inputs[0], 1

    raise ValueError(
        f"a sequence (T,), (T, D) or a picture (c, h, w) is needed, got {tuple(inputs)}"
    )


def to_rows(x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, "batch T D"]:
    """Reads samples as `steps_of` says."""

    if x.dim() == 4:
        return x.movedim(1, 2).flatten(2)

    return x if x.dim() == 3 else x.unsqueeze(-1)


def to_patches(x: Float[Tensor, "batch c h w"], p: int) -> Float[Tensor, "batch T D"]:
    """Cuts pictures into squares of p × p pixels, each a vector of c·p² features."""

    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # batch, c, h/p, p, w/p, p

    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
