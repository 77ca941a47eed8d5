"""One small network of each model, as cases to be shared."""

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from isoexp.activations import Tanh
from isoexp.inits import Default
from isoexp.models import CNN, MLP, RNN, Autoencoder, ConvolutionalAutoencoder, Transformer
from isoexp.models.blocks import Build, Forms, Init


def identity(n: int) -> nn.Module:
    return nn.Identity()


def forms(
    activation: Build = Tanh,
    norm: Build = identity,
    init: Init = Default(),  # noqa: B008  (it has no state)
    dropout: Build = identity,
    bias: bool = True,
) -> Forms:
    return Forms(activation, norm, init, dropout, bias)


class Tiny(NamedTuple):
    """A model, the shape of one sample, and what is asked of it."""

    model: Callable[..., nn.Module]
    inputs: tuple[int, ...]
    outputs: Any

    def build(self, forms: Forms) -> nn.Module:
        return self.model(self.inputs, self.outputs, forms, bias=forms.bias)

    @property
    def answer(self) -> tuple[int, ...]:
        """The shape of what comes out."""

        if "utoencoder" in repr(self.model):
            return self.inputs

        return self.outputs if isinstance(self.outputs, tuple) else (self.outputs,)

    def batch(self, count: int) -> Tensor:
        return torch.randn(count, *self.inputs)


_transformer = partial(Transformer, width=6, depth=1, heads=2, hidden=5, patch=2)

MODELS: dict[str, Tiny] = {
    "mlp": Tiny(partial(MLP, widths=[5, 4]), (2, 3), 3),
    "autoencoder": Tiny(partial(Autoencoder, widths=[5], code=2), (6,), 3),
    "cnn": Tiny(partial(CNN, widths=[4, 5], blocks=1), (2, 5, 4), 3),
    "conv_autoencoder": Tiny(
        partial(ConvolutionalAutoencoder, widths=[4, 5], code=3), (1, 5, 6), 3
    ),
    "rnn": Tiny(partial(RNN, widths=[5, 4]), (4, 2), 3),
    "rnn-each": Tiny(partial(RNN, widths=[5]), (4,), (4, 3)),
    "transformer": Tiny(partial(_transformer, attention="softmax"), (1, 4, 6), 3),
    "transformer-tanh": Tiny(partial(_transformer, attention="iso_tanh"), (4, 2), 3),
    "transformer-each": Tiny(partial(_transformer, attention="iso_tanh"), (4,), (4, 3)),
    "transformer-softmax-each": Tiny(partial(_transformer, attention="softmax"), (4,), (4, 3)),
}
