"""Tests for isoexp.probes.junctions."""

import pytest
import torch
from torch import Tensor, nn
from torch.func import functional_call

from isoexp.activations import IsoTanh, RadialBasis, Tanh
from isoexp.geometry import random_orthogonal
from isoexp.norms import L2Norm
from isoexp.probes import Subject, conjugated, find_junctions, relative_error

from ..models.tiny import MODELS, forms

JUNCTIONS = {
    "mlp": {
        "hidden.0.activation": ("hidden.0.linear", "hidden.1.linear"),
        "hidden.1.activation": ("hidden.1.linear", "readout"),
    },
    "autoencoder": {
        "encoder.hidden.0.activation": ("encoder.hidden.0.linear", "encoder.readout"),
        "decoder.hidden.0.activation": ("decoder.hidden.0.linear", "decoder.readout"),
    },
    "cnn": {
        f"stages.{i}.steps.1.activation": (
            f"stages.{i}.steps.0.linear",
            f"stages.{i}.steps.1.linear",
        )
        for i in (0, 1)
    },
    "rnn": {},  # what the activation gives comes back to it
    "transformer": {"layers.0.activation": ("layers.0.up", "layers.0.down")},
}


def looked_at(model: nn.Module, x: Tensor) -> Subject:
    return Subject(model.eval(), x, None, None, torch.Generator())


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("activation", [Tanh, IsoTanh])
@pytest.mark.parametrize("name", JUNCTIONS)
def test_junctions_are_found_in_every_model(name: str, activation: type) -> None:
    it = looked_at(MODELS[name].build(forms(activation)), MODELS[name].batch(9))
    found = {path: (j.before, j.after) for path, j in find_junctions(it).items()}

    assert found == JUNCTIONS[name]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["mlp", "cnn", "transformer"])
def test_turned_weights_are_the_function_in_another_basis(name: str) -> None:
    """Eqn 15: the network stays for isotropic f; for any other it is that of f conjugated."""

    for activation in (IsoTanh, Tanh):
        it = looked_at(MODELS[name].build(forms(activation)), MODELS[name].batch(9))
        state = dict(it.model.named_parameters())
        before = it.model(it.x)
        for junction in find_junctions(it).values():
            R = random_orthogonal(junction.width)
            after = functional_call(it.model, junction.turned(state, R), (it.x,))
            with conjugated([junction.layer], [R]):
                torch.testing.assert_close(it.model(it.x), after)
            if activation is IsoTanh:
                torch.testing.assert_close(after, before)
            else:
                assert relative_error(after, before) > 1e-4


@pytest.mark.usefixtures("float64")
def test_the_tangent_is_the_derivative_along_the_orbit() -> None:
    it = looked_at(MODELS["mlp"].build(forms()), MODELS["mlp"].batch(9))
    state = dict(it.model.named_parameters())
    junction = find_junctions(it)["hidden.0.activation"]
    A = torch.randn(5, 5)
    A = A - A.T
    t = 1e-6

    ahead = junction.turned(state, torch.linalg.matrix_exp(t * A))
    behind = junction.turned(state, torch.linalg.matrix_exp(-t * A))
    slope = {name: (ahead[name] - behind[name]) / (2 * t) for name in ahead}

    torch.testing.assert_close(junction.turned(state, A), slope, rtol=1e-8, atol=1e-8)


def test_norms_that_commute_may_stand_between() -> None:
    it = looked_at(MODELS["mlp"].build(forms(norm=L2Norm)), MODELS["mlp"].batch(9))

    assert len(find_junctions(it)) == 2


class Skipped(nn.Module):
    """What the activation gives is also added to the output of the next map."""

    def __init__(self) -> None:
        super().__init__()

        self.up, self.activation, self.down = nn.Linear(4, 6), Tanh(6), nn.Linear(6, 6)

    def forward(self, x: Tensor) -> Tensor:
        h = self.activation(self.up(x))

        return h + self.down(h)


class Tied(nn.Module):
    """One map before and after."""

    def __init__(self) -> None:
        super().__init__()

        self.map, self.activation = nn.Linear(4, 4), Tanh(4)

    def forward(self, x: Tensor) -> Tensor:
        return self.map(self.activation(self.map(x)))


class Shared(nn.Module):
    """Two maps with one weight between them."""

    def __init__(self) -> None:
        super().__init__()

        self.up, self.activation, self.down = nn.Linear(4, 4), Tanh(4), nn.Linear(4, 4)
        self.down.weight = self.up.weight

    def forward(self, x: Tensor) -> Tensor:
        return self.down(self.activation(self.up(x)))


@pytest.mark.parametrize(
    "model",
    [
        Skipped(),
        Shared(),
        Tied(),
        nn.Sequential(nn.Linear(4, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 2)),
        nn.Sequential(nn.Linear(4, 6), RadialBasis(6, centres=8), nn.Linear(8, 2)),
        nn.Sequential(nn.Tanh(), nn.Linear(4, 2)),
    ],
    ids=["skipped", "shared", "tied", "gains", "between two spaces", "nothing before"],
)
def test_what_only_looks_like_a_junction_is_none(model: nn.Module) -> None:
    for p in model.parameters():  # gains of ones are no gains
        nn.init.normal_(p)

    assert find_junctions(looked_at(model, torch.randn(9, 4))) == {}


def test_a_network_of_other_hands_has_junctions() -> None:
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        nn.ReLU(inplace=True),
        nn.Conv2d(4, 5, 3),
        nn.Flatten(),
        nn.Linear(80, 3),
    )
    found = find_junctions(looked_at(model, torch.randn(9, 1, 8, 8)))

    assert {path: (j.before, j.after, j.width) for path, j in found.items()} == {"1": ("0", "2", 4)}
