"""Autoencoders, x ↦ D(E(x)): a code of few features between an encoder and its mirror image."""

__all__ = ["Autoencoder", "ConvolutionalAutoencoder"]

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Block, Build, Forms, Init, check_widths
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
        dropout: Builds a dropout for a number of features.
        bias: Whether the layers have biases.
    """

    reconstructs = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: object,
        widths: Sequence[int],
        code: int,
        activation: Build,
        norm: Build,
        init: Init,
        dropout: Build = nn.Identity,
        bias: bool = True,
    ) -> None:
        super().__init__()

        _check_code(code)
        forms = Forms(activation, norm, init, dropout, bias)

        self.encoder = MLP(inputs, code, widths, *forms)
        self.decoder = MLP((code,), math.prod(inputs), list(widths)[::-1], *forms)

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, " batch *inputs"]:
        return self.decoder(self.encoder(x)).reshape(x.shape)


class ConvolutionalAutoencoder(nn.Module):
    """The same of convolutions: each of the encoder halves the picture, each of the decoder doubles
    it, by repeating positions.

    Arguments:
        inputs: The shape of one picture: channels, height, width.
        outputs: Not used: what comes out has the shape of what goes in.
        widths: The number of channels of each hidden layer of the encoder.
        code: The number of features of the code.
        activation: Builds an activation for a number of channels.
        norm: Builds a normaliser for a number of channels.
        init: Sets the first weights of a layer.
        dropout: Builds a dropout for a number of channels.
        bias: Whether the layers have biases.
    """

    reconstructs = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: object,
        widths: Sequence[int],
        code: int,
        activation: Build,
        norm: Build,
        init: Init,
        dropout: Build = nn.Identity,
        bias: bool = True,
    ) -> None:
        super().__init__()

        if len(inputs) != 3:
            raise ValueError(
                f"pictures (channels, height, width) are needed, got {tuple(inputs)}: use "
                "model=autoencoder"
            )
        if not widths:
            raise ValueError("widths must name a layer, got none: give one, as in widths=[16]")
        check_widths(list(widths))
        _check_code(code)
        forms = Forms(activation, norm, init, dropout, bias)

        c, h, w = inputs
        self.sizes = [(h, w)]
        encoder, n = [], c
        for width in widths:
            encoder.append(Block(forms.convolution(n, width, stride=2), width, forms))
            n = encoder[-1].out_width
            h, w = -(-h // 2), -(-w // 2)
            self.sizes.append((h, w))

        self.encoder = nn.Sequential(*encoder)
        self.to_code = forms.linear(n * h * w, code)

        self.from_code = forms.linear(code, h * w * widths[-1])
        decoder, n = [], widths[-1]
        for width in list(widths)[-2::-1]:
            decoder.append(Block(forms.convolution(n, width), width, forms))
            n = decoder[-1].out_width
        self.decoder = nn.ModuleList([*decoder, forms.convolution(n, c)])

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        code = self.to_code(self.encoder(x.movedim(1, -1)).flatten(1))
        y = self.from_code(code).unflatten(1, (*self.sizes[-1], -1))

        for layer, (h, w) in zip(self.decoder, self.sizes[-2::-1], strict=True):
            y = y.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)[:, :h, :w]
            y = layer(y)

        return y.movedim(-1, 1)


def _check_code(code: int) -> None:
    if code < 1:
        raise ValueError(f"code must be at least 1, got {code}")
