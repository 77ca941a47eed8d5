"""The multilayer perceptron,

x ↦ W_L f(… f(W_1 x + b_1) …) + b_L.
"""

__all__ = ["MLP"]

import math
from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Forms, Shape, chain, check_widths


class MLP(nn.Module):
    """Fully connected layers, an activation after each but the last.

    Without biases and with isotropic activations its decision regions are those of a linear
    classifier, since its logits are a positive multiple of W_L … W_1 x: keep bias=true unless
    that is what you study.

    Arguments:
        inputs: The shape of one input, flattened on the way in.
        widths: The number of features of each hidden layer; none for a linear model.
    """

    def __init__(
        self, inputs: Shape, outputs: int, forms: Forms, widths: Sequence[int], bias: bool = True
    ) -> None:
        super().__init__()

        check_widths(widths)
        forms = forms._replace(bias=bias)

        blocks, n = chain(Forms.linear, math.prod(inputs), widths, forms)
        self.hidden = nn.Sequential(*blocks)
        self.readout = forms.linear(n, outputs)

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, "batch outputs"]:
        return self.readout(self.hidden(x.flatten(1)))
