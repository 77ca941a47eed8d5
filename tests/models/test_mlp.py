"""Tests for isoexp.models.mlp."""

from collections.abc import Sequence

import pytest
import torch
from torch import nn

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.inits import Default, Orthogonal
from isoexp.models import MLP
from isoexp.models.blocks import Build, Forms, Init

from ..activations.families import ALL, each

DEFAULT = Default()


def identity(n: int) -> nn.Module:
    return nn.Identity()


def mlp(
    inputs: Sequence[int],
    outputs: int,
    widths: Sequence[int],
    activation: Build = Tanh,
    norm: Build = identity,
    init: Init = DEFAULT,
    bias: bool = True,
) -> MLP:
    return MLP(inputs, outputs, Forms(activation, norm, init), widths, bias=bias)


@each(ALL)
def test_any_activation_fits(build: Build) -> None:
    model = mlp((2, 3), 4, [8, 5], build)
    x = torch.randn(7, 2, 3)
    model(x).sum().backward()

    assert model(x).shape == (7, 4)
    assert model(x[:0]).shape == (0, 4)
    trained = [p for p in model.parameters() if p.requires_grad]
    assert all(p.grad is not None and p.grad.isfinite().all() for p in trained)


def test_is_its_formula() -> None:
    """W₃ f(W₂ f(W₁ x + b₁) + b₂) + b₃."""

    model = mlp((2, 3), 4, [8, 5])
    x = torch.randn(7, 2, 3)
    W1, b1, W2, b2, W3, b3 = model.parameters()

    h = (x.reshape(7, 6) @ W1.T + b1).tanh()
    h = (h @ W2.T + b2).tanh()
    torch.testing.assert_close(model(x), h @ W3.T + b3)


def test_no_width_is_a_linear_model() -> None:
    model = mlp((6,), 4, [])
    x, y = torch.randn(5, 6), torch.randn(5, 6)

    assert [tuple(p.shape) for p in model.parameters()] == [(4, 6), (4,)]
    zero = model(torch.zeros(1, 6))
    torch.testing.assert_close(model(x + y) - zero, model(x) + model(y) - 2 * zero)


def test_layers_follow_the_width_of_radial_basis_functions() -> None:
    model = mlp((6,), 4, [8, 8], lambda n: RadialBasis(n, centres=3))

    assert [tuple(m.weight.shape) for m in model.modules() if isinstance(m, nn.Linear)] == [
        (8, 6),
        (8, 3),
        (4, 3),
    ]


def test_norm_stands_before_each_activation() -> None:
    model = mlp((6,), 4, [8, 5], IsoTanh, norm=nn.RMSNorm)

    assert [m.normalized_shape for m in model.modules() if isinstance(m, nn.RMSNorm)] == [
        (8,),
        (5,),
    ]


def test_the_init_reaches_the_readout() -> None:
    model = mlp((6,), 4, [8], init=Orthogonal(gain=3.0))

    for layer in (m for m in model.modules() if isinstance(m, nn.Linear)):
        values = torch.linalg.svdvals(layer.weight)
        torch.testing.assert_close(values, torch.full_like(values, 3.0))
        assert not layer.bias.any()


def test_without_biases_the_isotropic_decide_like_a_linear_model() -> None:
    """Logits are a positive multiple of W_L … W_1 x: the trap that bias=true avoids."""

    model = mlp((6,), 4, [8, 5], IsoTanh, bias=False)
    x = torch.randn(500, 6)
    W1, W2, W3 = model.parameters()

    linear = x @ (W3 @ W2 @ W1).T
    cosine = torch.cosine_similarity(model(x), linear)
    torch.testing.assert_close(cosine, torch.ones(500))
    assert torch.equal(model(x).argmax(dim=1), linear.argmax(dim=1))

    # The control: with elementwise tanh, or with biases, it is not so.
    for other in (mlp((6,), 4, [8, 5], Tanh, bias=False), mlp((6,), 4, [8, 5], IsoTanh)):
        W1, W2, W3 = (p for p in other.parameters() if p.dim() == 2)
        linear = 9 * x @ (W3 @ W2 @ W1).T
        assert torch.cosine_similarity(other(9 * x), linear).min() < 0.99


@pytest.mark.parametrize("widths", [[0], [8, -1]])
def test_refuses_empty_layers(widths: list[int]) -> None:
    with pytest.raises(ValueError, match=rf"widths must be positive, got {widths[-1]} in \["):
        mlp((6,), 4, widths)
