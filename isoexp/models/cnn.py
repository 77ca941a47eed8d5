"""The convolutional network: a small residual one, whose functions act on channel vectors.

A picture is a field of vectors, one of channels at each position. Activation, norm and dropout act
along that vector, so that an isotropic network turns with every rotation of its channels.
"""

__all__ = ["CNN"]

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor, nn

from .blocks import Forms, check_widths, out_width, picture_shape


class PreActivation(nn.Module):
    """x ↦ W ∗ dropout(f(norm(x))) + b: the activation stands before the convolution."""

    def __init__(self, inputs: int, width: int, stride: int, forms: Forms) -> None:
        super().__init__()

        self.norm = forms.norm(inputs)
        self.activation = forms.activation(inputs)
        n = out_width(self.activation, inputs)
        self.dropout = forms.dropout(n)
        self.linear = forms.centred(width).convolution(n, width, stride=stride)

    def forward(self, x: Float[Tensor, "batch h w c"]) -> Float[Tensor, "batch h2 w2 c2"]:
        return self.linear(self.dropout(self.activation(self.norm(x))))


class Residual(nn.Module):
    """x ↦ P x + two steps, P the identity, or a convolution of size 1 where shapes change."""

    def __init__(self, inputs: int, width: int, stride: int, forms: Forms) -> None:
        super().__init__()

        same = inputs == width and stride == 1
        stream = forms.centred(width)
        self.shortcut = nn.Identity() if same else stream.convolution(inputs, width, 1, stride)
        self.steps = nn.Sequential(
            PreActivation(inputs, width, stride, forms), PreActivation(width, width, 1, forms)
        )

    def forward(self, x: Float[Tensor, "batch h w c"]) -> Float[Tensor, "batch h2 w2 c2"]:
        return self.shortcut(x) + self.steps(x)


class CNN(nn.Module):
    """A residual network: a convolution, stages of residual blocks, the mean over positions.

    Every stage but the first halves height and width. Activations stand before convolutions, so
    that nothing but linear maps lies on the path of the sum. All that is read of it has been
    normalised: with a norm that centres only the readout has a bias.

    Arguments:
        inputs: The shape of one picture: channels, height, width.
        widths: The number of channels of each stage.
        blocks: The number of residual blocks of a stage.

    Source: He et al., Identity Mappings in Deep Residual Networks (2016).
    """

    def __init__(
        self,
        inputs: Sequence[int],
        outputs: int,
        forms: Forms,
        widths: Sequence[int],
        blocks: int,
        bias: bool = True,
    ) -> None:
        super().__init__()

        channels, _, _ = picture_shape(inputs, "model=mlp, rnn or transformer")
        check_widths(widths, "stage")
        if blocks < 1:
            raise ValueError(f"blocks must be at least 1, got {blocks}")
        forms = forms._replace(bias=bias)

        self.stem = forms.centred(widths[0]).convolution(channels, widths[0])
        stages, n = [], widths[0]
        for i, width in enumerate(widths):
            for j in range(blocks):
                stages.append(Residual(n, width, 2 if i > 0 and j == 0 else 1, forms))
                n = width
        self.stages = nn.Sequential(*stages)

        self.norm = forms.norm(n)
        self.activation = forms.activation(n)
        n = out_width(self.activation, n)
        self.dropout = forms.dropout(n)
        self.readout = forms.linear(n, outputs)

    def forward(self, x: Float[Tensor, "batch c h w"]) -> Float[Tensor, "batch outputs"]:
        x = self.stages(self.stem(x.movedim(1, -1)))
        x = self.dropout(self.activation(self.norm(x)))

        return self.readout(x.mean(dim=(1, 2)))
