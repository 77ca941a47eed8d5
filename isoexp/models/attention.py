"""Attention: each step of a sequence gathers from the steps that it may see,

    Attention(Q, K, V) = w(Q Kᵀ/√d_k) V,

with weights w over the keys: softmax, which is symmetric under permutations of the keys only, or
the isotropic tanh, which may also subtract,

    w(s) = tanh(‖s‖) ŝ / √T.                                    (Bird 2025, Eqn 29)

The paper leaves out the factor 1/√T: then ‖w‖₂ < 1, and Σ|w| may come as near to √T as scores are
alike. With it Σ|w| < 1, where softmax has Σ|w| = 1.
"""

__all__ = ["WEIGHTS", "Attention", "iso_tanh", "softmax"]

import math
from collections.abc import Callable

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..geometry import gain, radius
from .blocks import Forms


def softmax(
    s: Float[Tensor, "*batch T keys"], visible: Bool[Tensor, "T keys"]
) -> Float[Tensor, "*batch T keys"]:
    """w_j = exp s_j / Σ exp s_i over the visible keys, else 0."""

    return s.masked_fill(~visible, -math.inf).softmax(dim=-1)


def iso_tanh(
    s: Float[Tensor, "*batch T keys"], visible: Bool[Tensor, "T keys"]
) -> Float[Tensor, "*batch T keys"]:
    """w = tanh(‖s‖) ŝ / √T over the T visible keys, else 0.

    What is masked is 0 before the norm, not −∞: it adds nothing to the length.
    """

    s = s.masked_fill(~visible, 0.0)
    r = radius(s)
    count = visible.sum(dim=-1, keepdim=True).clamp_min(1)

    return gain(torch.tanh, r, -1 / 3, 2 / 15).to(s) * s / count.to(s).sqrt()


Weights = Callable[[Tensor, Tensor], Tensor]

WEIGHTS: dict[str, Weights] = {"softmax": softmax, "iso_tanh": iso_tanh}


class Attention(nn.Module):
    """Self-attention of several heads, whose output is added to what norms alone read.

    Keys have no bias under softmax, which is blind to what is added to all scores of a query. Under
    softmax, whose weights sum to one, a bias of the values is one of the output.

    Arguments:
        width: The number of features n of a step.
        heads: The number of heads, a divisor of n: d_k = n / heads.
        weights: Gives the weights of the keys from their scores and from which are visible.
        causal: Whether a step sees only itself and the steps before it.
    """

    def __init__(
        self, width: int, heads: int, weights: Weights, causal: bool, forms: Forms
    ) -> None:
        super().__init__()

        if heads < 1 or width % heads:
            raise ValueError(f"heads must divide the width {width}, got {heads}")

        self.heads = heads
        self.weights = weights
        self.causal = causal

        dropped = not isinstance(forms.dropout(width), nn.Identity)  # the output, bias and all
        stream = forms if dropped else forms.centred(width)

        self.query = forms.linear(width, width)
        self.key = (forms._replace(bias=False) if weights is softmax else forms).linear(
            width, width
        )
        self.value = (stream if weights is softmax else forms).linear(width, width)
        self.out = stream.linear(width, width)

    def forward(self, x: Float[Tensor, "batch T n"]) -> Float[Tensor, "batch T n"]:
        layers = self.query, self.key, self.value
        Q, K, V = (y(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for y in layers)
        T, d_k = Q.shape[-2:]

        visible = torch.ones(T, T, dtype=torch.bool, device=x.device)
        visible = visible.tril() if self.causal else visible
        w = self.weights(Q @ K.mT / math.sqrt(d_k), visible)

        return self.out((w @ V).transpose(1, 2).flatten(2))
