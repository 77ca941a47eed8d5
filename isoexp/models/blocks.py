"""What a model is built of: constructors handed in, so that any activation meets any model."""

__all__ = ["Block", "Build", "Init"]

from collections.abc import Callable

from torch import Tensor, nn

Build = Callable[[int], nn.Module]
"""Builds an activation or a norm for a number of features."""

Init = Callable[[nn.Module], None]
"""Sets the first weights of a layer, in place, drawing from torch's global generator."""


class Block(nn.Module):
    """A hidden layer: f(norm(W x + b)).

    Arguments:
        inputs: The number of features that go in.
        width: The number of features n of the layer.
        activation: Builds f for n features.
        norm: Builds the normaliser for n features.
        init: Sets W and b.
        bias: Whether there is a b.
    """

    def __init__(
        self, inputs: int, width: int, activation: Build, norm: Build, init: Init, bias: bool
    ) -> None:
        super().__init__()

        self.linear = nn.Linear(inputs, width, bias=bias)
        init(self.linear)
        self.norm = norm(width)
        self.activation = activation(width)

        self.out_width: int = getattr(self.activation, "out_width", width)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.norm(self.linear(x)))
