"""The transformer: attention and a perceptron in turn, each on what it normalises, each added.

x ← x + Attention(norm(x)),    x ← x + W₂ f(W₁ norm(x) + b₁) + b₂
"""

__all__ = ["Transformer"]

from collections.abc import Sequence
from typing import Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .attention import WEIGHTS, Attention
from .blocks import Forms, out_width, steps_of, to_patches, to_rows


class TransformerLayer(nn.Module):
    """Attention, then a perceptron at each step, each with the norm before it."""

    def __init__(self, width: int, hidden: int, attention: Attention, forms: Forms) -> None:
        super().__init__()

        self.attention_norm = forms.norm(width)
        self.attention = attention
        self.attention_dropout = forms.dropout(width)
        self.norm = forms.norm(width)
        self.up = forms.linear(width, hidden)
        self.activation = forms.activation(hidden)
        self.dropout = forms.dropout(width)
        stream = forms.centred(width) if isinstance(self.dropout, nn.Identity) else forms
        self.down = stream.linear(out_width(self.activation, hidden), width)

    def forward(self, x: Float[Tensor, "batch T n"]) -> Float[Tensor, "batch T n"]:
        x = x + self.attention_dropout(self.attention(self.attention_norm(x)))

        return x + self.dropout(self.down(self.activation(self.up(self.norm(x)))))


class Transformer(nn.Module):
    """A pre-norm transformer for pictures, cut into patches, and for sequences.

    A sample that has one answer is answered from the mean over its steps; where the data ask for
    an answer at each step, attention is causal, and step t answers from steps 1 … t. A normaliser
    with the statistics of a batch takes them over all its steps: in training each step then sees
    the others, causal or not.

    Arguments:
        inputs: The shape of one sample: a picture (c, h, w), a sequence (T, D) or (T,).
        outputs: The number of outputs, or the steps and the outputs of each.
        width: The number of features n of a step.
        heads: The number of heads of attention, a divisor of n.
        hidden: The number of hidden features of the perceptron at each step.
        patch: The side of the squares that a picture is cut into, in pixels; None for the smallest
            side from 2 up that leaves at most 8 × 8 of them.
        attention: How keys are weighed, softmax or iso_tanh (Eqn 29, with 1/√T).

    Source: Vaswani et al. (2017); Xiong et al., On Layer Normalization in the Transformer
    Architecture (2020), for the norm's place; Dosovitskiy et al. (2021), for patches.
    """

    answers_each_step = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: int | tuple[int, int],
        forms: Forms,
        width: int,
        depth: int,
        heads: int,
        hidden: int,
        patch: int | None,
        attention: Literal["softmax", "iso_tanh"],
        bias: bool = True,
    ) -> None:
        super().__init__()

        if min(width, depth, hidden) < 1:
            raise ValueError(
                f"width, depth and hidden must be positive, got {width}, {depth} and {hidden}"
            )
        if attention not in WEIGHTS:
            raise ValueError(f"attention must be one of {', '.join(WEIGHTS)}, got {attention}")
        forms = forms._replace(bias=bias)

        T, D = steps_of(inputs)
        if len(inputs) == 3:
            c, h, w = inputs
            self.patch = p = _patch(h, w, patch)
            T, D = (h // p) * (w // p), c * p**2
        self.causal = isinstance(outputs, tuple)

        self.embedding = forms.centred(width).linear(D, width)
        self.position = nn.Parameter(torch.randn(T, width) / width**0.5)
        layers = []
        for _ in range(depth):
            attend = Attention(width, heads, WEIGHTS[attention], self.causal, forms)
            layers.append(TransformerLayer(width, hidden, attend, forms))
        self.layers = nn.Sequential(*layers)
        self.norm = forms.norm(width)
        self.readout = forms.linear(width, outputs[1] if isinstance(outputs, tuple) else outputs)

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, " batch *outputs"]:
        x = to_patches(x, self.patch) if x.dim() == 4 else to_rows(x)
        x = self.norm(self.layers(self.embedding(x) + self.position))

        return self.readout(x if self.causal else x.mean(dim=1))


def _patch(h: int, w: int, patch: int | None) -> int:
    """Returns the side of a patch: as asked for, or the smallest with 8 × 8 of them or fewer."""

    sides = [p for p in range(1, min(h, w) + 1) if h % p == 0 and w % p == 0]
    if patch is None:
        return next((p for p in sides if p > 1 and max(h, w) <= 8 * p), sides[-1])
    if patch not in sides:
        raise ValueError(
            f"patch must divide a picture of {h}×{w} pixels, got {patch}: one of "
            f"{', '.join(map(str, sides))}"
        )

    return patch
