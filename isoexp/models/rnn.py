"""The recurrent network,

    h_t = f(norm(W x_t + U h_{t−1} + b)),    h_0 = 0,

which reads a sequence step by step.
"""

__all__ = ["RNN"]

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Forms, check_widths, out_width, steps_of, to_rows


class Recurrence(nn.Module):
    """One recurrent layer; dropout acts on what it passes on at each step, not on what it keeps."""

    def __init__(self, inputs: int, width: int, forms: Forms) -> None:
        super().__init__()

        self.norm = forms.norm(width)
        self.activation = forms.activation(width)
        self.out_width = out_width(self.activation, width)
        self.dropout = forms.dropout(self.out_width)
        self.linear = forms.centred(width).linear(inputs, width)
        self.recurrent = forms._replace(bias=False).linear(self.out_width, width)

    def forward(self, x: Float[Tensor, "batch T D"]) -> Float[Tensor, "batch T n"]:
        driven = self.linear(x)
        h = x.new_zeros(len(x), self.out_width)

        passed = []
        for z in driven.unbind(dim=1):
            h = self.activation(self.norm(z + self.recurrent(h)))
            passed.append(self.dropout(h))

        return torch.stack(passed, dim=1)


class RNN(nn.Module):
    """Recurrent layers and a linear readout of the last step, or of each where the data ask for it.

    Arguments:
        inputs: The shape of one sample: a sequence (T, D) or (T,), or a picture, read row by row.
        outputs: The number of outputs, or the steps and the outputs of each.
    """

    answers_each_step = True

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: int | tuple[int, int],
        forms: Forms,
        widths: Sequence[int],
        bias: bool = True,
    ) -> None:
        super().__init__()

        check_widths(widths, "layer")
        forms = forms._replace(bias=bias)

        layers, n = [], steps_of(inputs)[1]
        for width in widths:
            layers.append(Recurrence(n, width, forms))
            n = layers[-1].out_width

        self.layers = nn.Sequential(*layers)
        self.each_step = isinstance(outputs, tuple)
        self.readout = forms.linear(n, outputs[1] if isinstance(outputs, tuple) else outputs)

    def forward(self, x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, " batch *outputs"]:
        h = self.layers(to_rows(x))

        return self.readout(h if self.each_step else h[:, -1])
