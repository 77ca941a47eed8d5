"""Tests for isoexp.models.blocks."""

import pytest
import torch
from torch import nn

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.inits import Default, Gaussian
from isoexp.models.blocks import Block


def test_is_its_formula() -> None:
    """f(norm(W x + b))."""

    block = Block(3, 5, Tanh, nn.LayerNorm, Default(), bias=True)
    x = torch.randn(4, 3)

    z = x @ block.linear.weight.T + block.linear.bias
    z = (z - z.mean(1, keepdim=True)) / (z.var(1, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(block(x), z.tanh())


def test_the_init_is_applied() -> None:
    block = Block(3, 400, Tanh, nn.Identity, Gaussian(gain=10.0), bias=True)

    assert not block.linear.bias.any()
    # 1,200 samples: a standard error of 2 % of the deviation.
    assert block.linear.weight.std().item() == pytest.approx(10 / 3**0.5, rel=0.1)


def test_bias_is_as_asked() -> None:
    without = Block(3, 5, Tanh, nn.Identity, Default(), bias=False)

    assert [name for name, _ in without.named_parameters()] == ["linear.weight"]
    assert not without(torch.zeros(1, 3)).any()


def test_says_how_many_features_come_out() -> None:
    """That of the activation, and the width for a module that knows nothing of it."""

    def block(activation) -> Block:
        return Block(3, 5, activation, nn.Identity, Default(), bias=True)

    assert block(IsoTanh).out_width == 5
    assert block(lambda n: RadialBasis(n, centres=9)).out_width == 9
    assert block(lambda n: nn.Tanh()).out_width == 5
