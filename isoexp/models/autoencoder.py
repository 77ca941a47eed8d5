"""Autoencoders, x ↦ D(E(x)): a code of few features between an encoder and its mirror image."""

__all__ = ["Autoencoder", "ConvolutionalAutoencoder"]

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from functools import partial

from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Forms, chain, check_widths, picture_shape
from .mlp import MLP


class ReconstructingModel(nn.Module, ABC):
    """Abstract network that is trained to return its input.

    Arguments:
        inputs: The shape of one input.
        outputs: Not used: what comes out has the shape of what goes in.
        widths: The number of features, or channels, of each hidden layer of the encoder.
        code: The number of features of the code.
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

        if code < 1:
            raise ValueError(f"code must be at least 1, got {code}")
        self._build(inputs, forms._replace(bias=bias), widths, code)

    @abstractmethod
    def _build(
        self, inputs: Sequence[int], forms: Forms, widths: Sequence[int], code: int
    ) -> None: ...


class Autoencoder(ReconstructingModel):
    """An encoder to a linear code, and a decoder that mirrors it."""

    def _build(self, inputs: Sequence[int], forms: Forms, widths: Sequence[int], code: int) -> None:
        self.encoder = MLP(inputs, code, forms, widths, forms.bias)
        self.decoder = MLP((code,), math.prod(inputs), forms, list(widths)[::-1], forms.bias)
        if widths and not forms.centred(widths[-1]).bias:  # a norm reads the code, through a map
            self.encoder.readout.register_parameter("bias", None)

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, " batch *inputs"]:
        return self.decoder(self.encoder(x)).reshape(x.shape)


class ConvolutionalAutoencoder(ReconstructingModel):
    """The same of convolutions: each of the encoder halves the picture, each of the decoder doubles
    it, by repeating positions.
    """

    def _build(self, inputs: Sequence[int], forms: Forms, widths: Sequence[int], code: int) -> None:
        c, h, w = picture_shape(inputs, "model=autoencoder")
        check_widths(widths, "layer")

        self.sizes = [(h, w)]
        for _ in widths:
            h, w = -(-h // 2), -(-w // 2)
            self.sizes.append((h, w))

        encoder, n = chain(partial(Forms.convolution, stride=2), c, widths, forms)
        self.encoder = nn.Sequential(*encoder)
        self.to_code = forms.linear(n * h * w, code)

        self.from_code = forms.linear(code, h * w * widths[-1])
        decoder, n = chain(Forms.convolution, widths[-1], list(widths)[-2::-1], forms)
        self.decoder = nn.ModuleList([*decoder, forms.convolution(n, c)])

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch c h w"]:
        code = self.to_code(self.encoder(x.movedim(1, -1)).flatten(1))
        y = self.from_code(code).unflatten(1, (*self.sizes[-1], -1))

        for layer, (h, w) in zip(self.decoder, self.sizes[-2::-1], strict=True):
            y = y.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2)[:, :h, :w]
            y = layer(y)

        return y.movedim(-1, 1)
