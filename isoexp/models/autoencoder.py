"""The autoencoder, x ↦ D(E(x)): a code of few features between two multilayer perceptrons."""

__all__ = ["Autoencoder"]

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Build, Init
from .mlp import MLP


class Autoencoder(nn.Module):
    """An encoder to a linear code, and a decoder that mirrors it. Trained to return its input.

    Arguments:
        inputs: The shape of one input.
        outputs: Not used: what comes out has the shape of what goes in.
        widths: The number of features of each hidden layer of the encoder.
        code: The number of features of the code.
        activation: Builds an activation for a number of features.
        norm: Builds a normaliser for a number of features.
        init: Sets the first weights of a layer.
        bias: Whether the layers have biases.
    """

    reconstructs = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: int,
        widths: Sequence[int],
        code: int,
        activation: Build,
        norm: Build,
        init: Init,
        bias: bool = True,
    ) -> None:
        super().__init__()

        if code < 1:
            raise ValueError(f"code must be at least 1, got {code}")

        self.encoder = MLP(inputs, code, widths, activation, norm, init, bias)
        self.decoder = MLP(
            (code,), math.prod(inputs), list(widths)[::-1], activation, norm, init, bias
        )

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, " batch *inputs"]:
        return self.decoder(self.encoder(x)).reshape(x.shape)
