"""Tests for isoexp.models.blocks."""

from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.inits import Default, Gaussian
from isoexp.models.blocks import Block, Convolution, Forms, check_widths, out_width

from .tiny import forms


class Halved(nn.Module):
    """Stands for a dropout: the last of a block."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 2


def block(forms: Forms, inputs: int = 3, width: int = 5) -> Block:
    return Block(forms.linear(inputs, width), width, forms)


def test_is_its_formula() -> None:
    """dropout(f(norm(W x + b)))."""

    layer = block(forms(Tanh, nn.LayerNorm, dropout=lambda n: Halved()))
    x = torch.randn(4, 3)
    W, b = layer.get_parameter("linear.weight"), layer.get_parameter("linear.bias")

    z = x @ W.T + b
    z = (z - z.mean(1, keepdim=True)) / (z.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(layer(x), z.tanh() / 2)


def test_the_init_is_applied() -> None:
    given = forms(init=Gaussian(gain=10.0))
    for layer in (given.linear(3, 400), given.convolution(3, 400, size=1)):
        assert layer.bias is not None
        assert not layer.bias.any()
        # 1,200 samples: a standard error of 2 % of the deviation.
        assert layer.weight.std().item() == pytest.approx(10 / 3**0.5, rel=0.1)


def test_bias_is_as_asked() -> None:
    without = block(forms(bias=False))

    assert [name for name, _ in without.named_parameters()] == ["linear.weight"]
    assert not without(torch.zeros(1, 3)).any()
    assert forms(bias=False).convolution(2, 3).bias is None
    assert forms().convolution(2, 3).bias is not None


def test_says_how_many_features_come_out() -> None:
    """That of the activation, and the width for a module that knows nothing of it."""

    for activation, expected in [
        (IsoTanh, 5),
        (partial(RadialBasis, centres=9), 9),
        (lambda n: nn.Tanh(), 5),
    ]:
        layer = block(forms(activation))
        assert layer.out_width == expected == out_width(layer.activation, 5)


def test_each_part_is_built_for_its_width() -> None:
    widths = []

    def told(n: int) -> nn.Module:
        widths.append(n)

        return nn.Identity()

    block(forms(partial(RadialBasis, centres=9), told, Default(), told))
    assert widths == [5, 9]


@pytest.mark.parametrize(("size", "stride"), [(3, 1), (3, 2), (1, 1), (1, 2), (5, 3)])
def test_a_convolution_acts_along_the_last_axis(size: int, stride: int) -> None:
    layer = forms().convolution(2, 3, size, stride)
    x = torch.randn(4, 2, 7, 6)
    expected = F.conv2d(x, layer.weight, layer.bias, stride, padding=size // 2)

    assert isinstance(layer, Convolution)
    torch.testing.assert_close(layer(x.movedim(1, -1)), expected.movedim(1, -1))
    assert expected.shape[2:] == (-(-7 // stride), -(-6 // stride))


def test_refuses_empty_layers() -> None:
    check_widths([1, 2])
    with pytest.raises(ValueError, match=r"widths must be positive, got 0 in \[3, 0\]"):
        check_widths([3, 0])
