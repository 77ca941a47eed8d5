"""Tests for isoexp.models.cnn."""

from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.geometry import random_orthogonal
from isoexp.inits import Default
from isoexp.models import CNN
from isoexp.models.blocks import Build, Forms

from ..properties import permutation, signed_permutation
from .tiny import identity

pytestmark = pytest.mark.usefixtures("float64")


def cnn(activation: Build, widths=(4, 6), blocks=2, norm: Build = identity) -> Any:
    return CNN((2, 7, 6), 3, Forms(activation, norm, Default()), list(widths), blocks)


def turn_(layer: nn.Module, inner: Tensor, outer: Tensor) -> None:
    """Sets W ← R_out W R_inᵀ at every offset of a kernel, and b ← R_out b."""

    with torch.no_grad():
        W = layer.get_parameter("weight")
        W.copy_(torch.einsum("ao,oi...,ci->ac...", outer, W, inner))
        layer.get_parameter("bias").copy_(outer @ layer.get_parameter("bias"))


def turn_channels_(model: Any, draw) -> None:
    """Turns all hidden channels, each layer's by a matrix of its own, the sum's by one a width."""

    I = torch.eye  # noqa: E741
    here = draw(model.stem.out_channels)
    turn_(model.stem, I(model.stem.in_channels), here)
    for block in model.stages:
        first, second = block.steps
        there = here if isinstance(block.shortcut, nn.Identity) else draw(first.linear.out_channels)
        between = draw(first.linear.out_channels)
        turn_(first.linear, here, between)
        turn_(second.linear, between, there)
        if here is not there:
            turn_(block.shortcut, here, there)
        here = there
    turn_(model.readout, here, I(model.readout.out_features))


RMS = partial(nn.RMSNorm, elementwise_affine=False)


@pytest.mark.parametrize(
    ("activation", "norm", "draw", "same"),
    [
        (IsoTanh, identity, random_orthogonal, True),
        (IsoTanh, RMS, random_orthogonal, True),
        (IsoTanh, partial(nn.LayerNorm, elementwise_affine=False), random_orthogonal, False),
        (Tanh, identity, random_orthogonal, False),
        (Tanh, identity, permutation, True),
        (Tanh, identity, signed_permutation, True),
        (Tanh, partial(nn.LayerNorm, elementwise_affine=False), permutation, True),
    ],
)
def test_channels_may_turn_where_the_functions_do(activation, norm, draw, same: bool) -> None:
    """Rotated on both sides of every layer, an isotropic network is the function that it was; an
    elementwise one is so for permutations only, and for signs where it is odd."""

    model, x = cnn(activation, norm=norm), 3 * torch.randn(5, 2, 7, 6)
    before = model(x)
    turn_channels_(model, draw)
    off = ((model(x) - before).norm() / before.norm()).item()

    assert off < 1e-12 if same else off > 1e-3, f"off by {off:.1e}"


def test_is_its_formula_in_channels_first() -> None:
    """One stage that keeps the shape and one that halves it, by F.conv2d."""

    model, x = cnn(IsoTanh, blocks=1), torch.randn(5, 2, 7, 6)
    w = dict(model.named_parameters())

    def convolved(h: Tensor, name: str, stride: int = 1, padding: int = 1) -> Tensor:
        return F.conv2d(h, w[f"{name}.weight"], w[f"{name}.bias"], stride, padding)

    def f(h: Tensor) -> Tensor:
        r = h.norm(dim=1, keepdim=True)

        return r.tanh() / r * h

    h = convolved(x, "stem")
    a = convolved(f(h), "stages.0.steps.0.linear")
    h = h + convolved(f(a), "stages.0.steps.1.linear")
    a = convolved(f(h), "stages.1.steps.0.linear", stride=2)
    a = convolved(f(a), "stages.1.steps.1.linear")
    h = convolved(h, "stages.1.shortcut", stride=2, padding=0) + a
    y = f(h).mean(dim=(2, 3)) @ w["readout.weight"].T + w["readout.bias"]

    assert h.shape == (5, 6, 4, 3)
    torch.testing.assert_close(model(x), y)


@pytest.mark.parametrize(("h", "w"), [(1, 1), (2, 5), (7, 6), (28, 28)])
def test_pictures_of_any_size(h: int, w: int) -> None:
    model = CNN((3, h, w), 4, Forms(Tanh, identity, Default()), [4, 5, 6], 1)

    assert model(torch.randn(2, 3, h, w)).shape == (2, 4)
    assert model(torch.randn(0, 3, h, w)).shape == (0, 4)


def test_layers_follow_the_width_of_radial_basis_functions() -> None:
    model = cnn(partial(RadialBasis, centres=3), blocks=1)
    kernels = [tuple(m.weight.shape[:2]) for m in model.modules() if isinstance(m, nn.Conv2d)]

    # stem; two steps of a block that keeps its width; shortcut and two steps of one that does not
    assert kernels == [(4, 2), (4, 3), (4, 3), (6, 4), (6, 3), (6, 3)]
    assert model.readout.in_features == 3


def test_nothing_but_linear_maps_lies_on_the_path_of_the_sum() -> None:
    """With the steps at zero the network is f of a linear map of the picture."""

    model, x = cnn(Tanh), torch.randn(5, 2, 7, 6)
    with torch.no_grad():
        for block in model.stages:
            for p in block.steps.parameters():
                p.zero_()
    trunk = lambda x: model.stages(model.stem(x.movedim(1, -1)))
    zero = trunk(torch.zeros_like(x))

    torch.testing.assert_close(trunk(3 * x) - zero, 3 * (trunk(x) - zero))


def test_refuses() -> None:
    with pytest.raises(ValueError, match=r"pictures .* are needed, got \(6,\): use model=mlp"):
        CNN((6,), 3, Forms(Tanh, identity, Default()), [4], 1)
    with pytest.raises(ValueError, match="widths must name a stage, got none"):
        CNN((1, 4, 4), 3, Forms(Tanh, identity, Default()), [], 1)
    with pytest.raises(ValueError, match="blocks must be at least 1, got 0"):
        CNN((1, 4, 4), 3, Forms(Tanh, identity, Default()), [4], 0)
    with pytest.raises(ValueError, match=r"widths must be positive, got 0 in \[4, 0\]"):
        CNN((1, 4, 4), 3, Forms(Tanh, identity, Default()), [4, 0], 1)
