"""Autoencoders, x ↦ D(E(x)): a code of few features between an encoder and its mirror image."""

__all__ = ["Autoencoder", "ConvolutionalAutoencoder"]

import math
from collections.abc import Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Forms, chain, check_widths, picture_shape
from .mlp import MLP


class Autoencoder(nn.Module):
    """An encoder to a linear code, and a decoder that mirrors it. Trained to return its input.

    Arguments:
        outputs: Not used: what comes out has the shape of what goes in.
        widths: The number of features of each hidden layer of the encoder.
    """

    reconstructs = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: object,
        forms: Forms,
        widths: Sequence[int],
        code: int,
        bias: bool = True,
    ) -> None:
        super().__init__()

        _check_code(code)
        self.encoder = MLP(inputs, code, forms, widths, bias)
        self.decoder = MLP((code,), math.prod(inputs), forms, list(widths)[::-1], bias)

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, " batch *inputs"]:
        return self.decoder(self.encoder(x)).reshape(x.shape)


class ConvolutionalAutoencoder(nn.Module):
    """The same of convolutions: each of the encoder halves the picture, each of the decoder doubles
    it, by repeating positions.

    Arguments:
        inputs: The shape of one picture: channels, height, width.
        widths: The number of channels of each hidden layer of the encoder.
    """

    reconstructs = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: object,
        forms: Forms,
        widths: Sequence[int],
        code: int,
        bias: bool = True,
    ) -> None:
        super().__init__()

        c, h, w = picture_shape(inputs, "model=autoencoder")
        check_widths(widths, "layer")
        _check_code(code)
        forms = forms._replace(bias=bias)

        self.sizes = [(h, w)]
        for _ in widths:
            h, w = -(-h // 2), -(-w // 2)
            self.sizes.append((h, w))

        encoder, n = chain(partial(forms.convolution, stride=2), c, widths, forms)
        self.encoder = nn.Sequential(*encoder)
        self.to_code = forms.linear(n * h * w, code)

        self.from_code = forms.linear(code, h * w * widths[-1])
        decoder, n = chain(forms.convolution, widths[-1], list(widths)[-2::-1], forms)
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
