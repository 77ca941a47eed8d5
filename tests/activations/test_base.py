"""Laws of every activation: shapes, dtypes, and derivatives where they could break."""

import pytest
import torch
from torch import Tensor, nn

from isoexp.activations import Activation, IsoTanh, RadialBasis, Tanh, activations_of
from isoexp.stochastic import Stochastic

from ..properties import assert_finite
from .families import ALL, Build, each, members


def test_the_table_leaves_nobody_out() -> None:
    tested = {type(build(3)) for build in ALL.values()}

    public = {F for F in members(Activation) if F.__module__.startswith("isoexp.activations")}
    assert tested == public


@each(ALL)
def test_keeps_the_batch(build: Build) -> None:
    f = build(3)
    for shape in [(3,), (1, 3), (0, 3), (2, 0, 3), (2, 5, 3)]:
        x = torch.randn(shape, requires_grad=True)
        y = f(x)
        y.sum().backward()

        assert y.shape == (*shape[:-1], f.out_width)
        assert x.grad is not None
        assert x.grad.shape == shape
        assert torch.equal(y.reshape(-1, f.out_width), f(x.reshape(-1, 3)))


@each(ALL)
def test_gives_back_the_dtype(build: Build) -> None:
    for dtype in (torch.float32, torch.float64, torch.bfloat16, torch.float16):
        assert build(5)(torch.randn(4, 5, dtype=dtype)).dtype == dtype


@each(ALL)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_derivatives_are_finite(build: Build, dtype: torch.dtype) -> None:
    """First and second, at the origin, beside it, and far out; along an axis and off the axes."""

    for n in (1, 5):
        f = build(n).to(dtype)
        for radius in (0.0, 1e-40, 1e-20, 1e-7, 1.0, 1e18):
            u = torch.randn(1, n, dtype=torch.float64)
            rays = torch.cat([torch.eye(1, n, dtype=torch.float64), u / u.norm()])
            x = (radius * rays).to(dtype).requires_grad_()

            y = f(x)
            (first,) = torch.autograd.grad(y.sum(), x, create_graph=True)
            assert_finite(f"{f} at r = {radius:g}", f=y, J=first)

            if first.requires_grad:  # a linear map has no second derivative
                (second,) = torch.autograd.grad((first * torch.randn_like(first)).sum(), x)
                assert_finite(f"{f} at r = {radius:g}", H=second)


@each(ALL)
def test_refuses_no_features(build: Build) -> None:
    with pytest.raises(ValueError, match="width must be at least 1, got 0"):
        build(0)


def test_says_its_width() -> None:
    assert "7" in repr(RadialBasis(7))
    assert RadialBasis(7).width == 7
    assert RadialBasis(7, centres=3).out_width == 3


# --- the activations of a network -----------------------------------------------------------


class Net(nn.Module):
    """A network of other hands: one of ours, one by its name only, one within another."""

    def __init__(self) -> None:
        super().__init__()

        self.first = nn.Sequential(nn.Linear(3, 3), IsoTanh(3))
        self.block = nn.ModuleDict({"activation": nn.GELU(), "linear": nn.Linear(3, 3)})
        self.activation = Stochastic(3, Tanh)
        self.activations = nn.ModuleList([Tanh(3), nn.ReLU()])

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.first(x))


def test_activations_are_found_by_class_and_by_name() -> None:
    """From input to output, and none within another: tanh in a random basis is one function."""

    net = Net()
    found = activations_of(net)

    assert list(found) == [
        "first.1",
        "block.activation",
        "activation",
        "activations.0",
        "activations.1",
    ]
    assert all(found[path] is net.get_submodule(path) for path in found)


def test_a_network_may_be_one_activation_or_have_none() -> None:
    f = IsoTanh(3)

    assert activations_of(f) == {"": f}
    assert activations_of(nn.Sequential(nn.Linear(3, 3), nn.LayerNorm(3), nn.Softmax(-1))) == {}
    assert list(activations_of(nn.Sequential(nn.Linear(3, 3), nn.ReLU()))) == ["1"]
    assert list(activations_of(nn.ModuleDict({"activation": Stochastic(3, Tanh)}))) == [
        "activation"
    ]
