"""Tests for isoexp.models.rnn."""

from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.dropout import CorrelatedDropout
from isoexp.geometry import random_orthogonal
from isoexp.inits import Default
from isoexp.models import RNN
from isoexp.models.blocks import Build, Forms

from .tiny import identity

pytestmark = pytest.mark.usefixtures("float64")


def rnn(
    inputs: tuple[int, ...], outputs: Any, widths: list[int], activation: Build = Tanh, **forms: Any
) -> Any:
    every = {"norm": identity, "init": Default(), **forms}

    return RNN(inputs, outputs, Forms(activation, **every), widths)


class Halved(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x / 2


def loop(model: Any, x: Tensor, shares: float = 1.0) -> Tensor:
    """Returns what the last layer passes on at each step, by loops; shares are those passed on."""

    h = x
    for layer in model.layers:
        W, b = layer.linear.weight, layer.linear.bias
        U = layer.recurrent.weight
        kept, found = torch.zeros(len(x), len(U)), []
        for t in range(x.shape[1]):
            kept = (h[:, t] @ W.T + kept @ U.T + b).tanh()
            found.append(shares * kept)
        h = torch.stack(found, dim=1)

    return h


@pytest.mark.parametrize("outputs", [3, (4, 3)], ids=["one", "each"])
def test_is_its_formula(outputs: Any) -> None:
    """h_t = f(W x_t + U h_{t−1} + b), in two layers."""

    model, x = rnn((4, 2), outputs, [5, 6]), torch.randn(7, 4, 2)
    h = loop(model, x)

    torch.testing.assert_close(
        model(x), model.readout(h if isinstance(outputs, tuple) else h[:, -1])
    )
    assert [name for name, _ in model.layers[0].named_parameters()] == [
        "linear.weight",
        "linear.bias",
        "recurrent.weight",
    ]


def test_is_that_of_torch() -> None:
    model, x = rnn((4, 2), 3, [5]), torch.randn(7, 4, 2)
    peer: Any = nn.RNN(2, 5, batch_first=True)
    with torch.no_grad():
        peer.weight_ih_l0.copy_(model.layers[0].linear.weight)
        peer.bias_ih_l0.copy_(model.layers[0].linear.bias)
        peer.weight_hh_l0.copy_(model.layers[0].recurrent.weight)
        peer.bias_hh_l0.zero_()

    torch.testing.assert_close(model.layers(x), peer(x)[0])


def test_the_norm_stands_before_the_activation() -> None:
    model, x = rnn((3, 2), 3, [5], norm=nn.LayerNorm), torch.randn(7, 3, 2)
    layer = model.layers[0]

    h = torch.zeros(7, 5)
    for t in range(3):
        h = layer.norm(layer.linear(x[:, t]) + layer.recurrent(h)).tanh()
    torch.testing.assert_close(model(x), model.readout(h))


def test_dropout_acts_on_what_is_passed_on() -> None:
    """Not on what is kept: halves are passed on, wholes remembered."""

    model, x = rnn((4, 2), (4, 3), [5, 6], dropout=lambda n: Halved()), torch.randn(7, 4, 2)

    torch.testing.assert_close(model(x), model.readout(loop(model, x, shares=0.5)))


def test_a_step_is_a_call_of_its_dropout() -> None:
    """So that a walk walks in time: its mask changes within a sequence."""

    model = rnn((50, 1), (50, 3), [8], dropout=partial(CorrelatedDropout, keep=0.5, step=0.0))
    walk = model.layers[0].dropout
    masks: list[Tensor] = []
    walk.register_forward_hook(lambda *_: masks.append(walk.mask.clone()))
    model(torch.randn(2, 50, 1))

    assert len(masks) == 50
    assert len({tuple(m.tolist()) for m in masks}) > 5


def test_pictures_are_read_by_rows() -> None:
    model, x = rnn((2, 5, 3), 3, [4]), torch.randn(7, 2, 5, 3)

    assert model.layers[0].linear.in_features == 6
    torch.testing.assert_close(
        model(x), model.readout(loop(model, x.movedim(1, 2).flatten(2))[:, -1])
    )


@pytest.mark.parametrize("inputs", [(2, 5, 3), (4, 2), (6,), (1, 1), (1,)])
def test_samples_of_any_shape(inputs: tuple[int, ...]) -> None:
    model = rnn(inputs, 3, [4], partial(RadialBasis, centres=7))

    assert model.layers[0].recurrent.weight.shape == (4, 7)
    assert model(torch.randn(2, *inputs)).shape == (2, 3)
    assert model(torch.randn(0, *inputs)).shape == (0, 3)


def test_answers_come_before_what_follows() -> None:
    model, x = rnn((4, 2), (4, 3), [5, 6]), torch.randn(7, 4, 2)
    other = x.clone()
    other[:, 2:] = torch.randn(7, 2, 2)

    assert model(x).shape == (7, 4, 3)
    assert torch.equal(model(x)[:, :2], model(other)[:, :2])
    assert not torch.equal(model(x)[:, 2:], model(other)[:, 2:])


@pytest.mark.parametrize(("activation", "same"), [(IsoTanh, True), (Tanh, False)])
def test_hidden_features_may_turn_where_the_functions_do(activation, same: bool) -> None:
    """W → RW, U → R U Rᵀ, b → Rb, and the readout back."""

    model, x, R = rnn((4, 2), 3, [5], activation), torch.randn(7, 4, 2), random_orthogonal(5)
    before = model(x)
    layer = model.layers[0]
    with torch.no_grad():
        layer.linear.weight.copy_(R @ layer.linear.weight)
        layer.linear.bias.copy_(R @ layer.linear.bias)
        layer.recurrent.weight.copy_(R @ layer.recurrent.weight @ R.T)
        model.readout.weight.copy_(model.readout.weight @ R.T)
    off = (model(x) - before).norm().item()

    assert off < 1e-13 if same else off > 1e-2


def test_refuses() -> None:
    with pytest.raises(ValueError, match="widths must name a layer, got none"):
        rnn((4, 2), 3, [])
    with pytest.raises(ValueError, match=r"widths must be positive, got 0 in \[5, 0\]"):
        rnn((4, 2), 3, [5, 0])
    with pytest.raises(ValueError, match=r"a sequence .* is needed"):
        rnn((1, 2, 3, 4), 3, [5])
