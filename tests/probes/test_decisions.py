"""Tests for isoexp.probes.decisions and isoexp.probes.decisions.linear."""

import inspect
from copy import deepcopy
from dataclasses import replace
from functools import partial, reduce
from math import isnan, pi
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

import isoexp
from isoexp import activations
from isoexp.activations import (
    GELU,
    Identity,
    IsoReLU,
    IsoSinusoid,
    IsoTanh,
    Isotropic,
    IsotropicOf,
    QuasiIsotropic,
    ReLU,
    Tanh,
)
from isoexp.figures.decisions import draw
from isoexp.inits import Default
from isoexp.models import CNN, MLP
from isoexp.models.blocks import Forms
from isoexp.probes import Decisions, Subject, Unsuitable
from isoexp.probes.decisions import linear_part
from isoexp.streams import stream
from isoexp.training import Classification, Regression

from ..experiment.runs import TINY, run

pytestmark = pytest.mark.usefixtures("float64")

ISOTROPIC = [
    F
    for _, F in inspect.getmembers(activations, inspect.isclass)
    if issubclass(F, Isotropic) and not inspect.isabstract(F) and F is not IsotropicOf
]


def chain(F: Any, bias: bool = False, classes: int = 4, widths: tuple[int, ...] = (9, 7)) -> MLP:
    """A perceptron whose weights and biases are large enough for every profile to matter."""

    model = MLP((6,), classes, Forms(F, nn.Identity, Default()), widths, bias=bias)
    for parameter in model.parameters():
        nn.init.normal_(parameter)

    return model.eval()


def subject(model: nn.Module, *inputs: int, samples: int = 300, classes: int = 4) -> Subject:
    x, y = torch.randn(samples, *(inputs or (6,))), torch.randint(classes, (samples,))

    return Subject(model, x, y, Classification(), stream(0))


def measured(it: Subject) -> Any:
    return pd.DataFrame(Decisions()(it)).set_index("what")


def first(model: nn.Module) -> nn.Linear:
    return next(m for m in model.modules() if isinstance(m, nn.Linear))


def linear(model: nn.Module, x: Tensor) -> Tensor:
    """L x, one map after the other."""

    maps = [m for m in model.modules() if isinstance(m, nn.Linear)]

    return reduce(lambda h, A: h @ A.weight.detach().T, maps, x)


@pytest.mark.parametrize("F", ISOTROPIC)
@pytest.mark.parametrize("scale", ["unit", "sqrt_width"])
def test_isotropic_networks_without_biases_are_linear_classifiers(F: type, scale: str) -> None:
    found = measured(subject(chain(partial(F, scale=scale))))["value"]

    assert found["agreement"] == 1
    assert found["angle_max_rad"] <= 1e-12
    assert found["undecided"] < 0.5


def test_the_family_is_not_empty() -> None:
    assert len(ISOTROPIC) >= 9


@pytest.mark.parametrize(
    ("F", "bias"),
    [(IsoTanh, True), (IsoReLU, True), (Identity, True)]
    + [(F, bias) for F in (Tanh, ReLU, GELU, QuasiIsotropic) for bias in (False, True)],
)
def test_biases_and_elementwise_functions_decide_otherwise(F: type, bias: bool) -> None:
    """The controls."""

    found = measured(subject(chain(F, bias)))["value"]

    assert found["agreement"] < 0.99
    assert found["angle_mean_rad"] > 0.01


def test_a_linear_network_is_its_linear_part() -> None:
    found = measured(subject(chain(Identity)))["value"]

    assert found["agreement"] == 1
    assert found["angle_max_rad"] <= 1e-14


def test_negative_profiles_turn_decisions_round() -> None:
    """σ(r) = r + λ sin r < 0 for some r, if λ > 4.6: there y is a negative multiple of L x."""

    model = chain(partial(IsoSinusoid, lambda_m=6.0), widths=(9,))
    it = subject(model)
    r = first(model)(it.x).norm(dim=1)
    ahead = (r + 6.0 * r.sin() > 0).double().mean().item()
    found = measured(it)["value"]

    assert 0.1 < ahead < 0.9
    assert found["agreement"] == ahead
    assert found["angle_max_rad"] == pytest.approx(pi, rel=1e-12)
    assert found["angle_mean_rad"] == pytest.approx(pi * (1 - ahead), rel=1e-12)


SHARED = ["agreement", "angle_mean_rad", "angle_max_rad"]
"""What rests on the samples that are decided."""


def test_inside_the_ball_there_is_no_decision() -> None:
    model = chain(partial(IsoReLU, R0=7.0), widths=(9,))
    it = subject(model)
    inside = (first(model)(it.x).norm(dim=1) <= 7.0).sum().item()
    table = measured(it)

    assert 30 < inside < 270
    assert table["value"]["undecided"] == inside / 300
    assert table["value"][SHARED].tolist() == pytest.approx([1, 0, 0], abs=1e-12)
    assert set(table["n"][SHARED]) == {300 - inside}
    assert set(table["n"].drop(SHARED)) == {300}


def test_where_nothing_is_decided_there_is_no_agreement() -> None:
    """L = 0, if the first weights are: the biases alone say the class."""

    model = chain(Tanh, bias=True)
    nn.init.zeros_(first(model).weight)
    table = measured(subject(model))

    assert table["value"]["undecided"] == 1
    assert all(map(isnan, table["value"][SHARED]))
    assert set(table["n"][SHARED]) == {0}


@pytest.mark.parametrize("F", [IsoTanh, Tanh])
def test_accuracies_are_those_of_network_and_linear_part(F: type) -> None:
    """If the targets are what L says, that of the network is the agreement."""

    model = chain(F)
    it = subject(model)
    found = measured(replace(it, y=linear(model, it.x).argmax(dim=1)))["value"]
    assert found["linear_accuracy"] == 1
    assert found["accuracy"] == found["agreement"]

    found = measured(it)["value"]
    for name, outputs in (("accuracy", model(it.x)), ("linear_accuracy", linear(model, it.x))):
        assert found[name] == (outputs.argmax(dim=1) == it.y).double().mean().item()


def test_the_linear_part_is_the_product() -> None:
    maps = [m for m in chain(Tanh).modules() if isinstance(m, nn.Linear)]
    product = np.linalg.multi_dot([A.weight.detach().numpy() for A in maps[::-1]])

    np.testing.assert_allclose(linear_part(maps).detach().numpy(), product, rtol=1e-12)


def test_float32_is_measured_in_float64() -> None:
    """Its rounding is no angle; its weights are its own."""

    model = chain(IsoTanh).float()
    it = subject(model)
    found = measured(replace(it, x=it.x.float()))["value"]

    assert found["agreement"] == 1
    assert found["angle_max_rad"] <= 1e-12


def test_what_functions_have_learnt_is_taken_to_float64_too() -> None:
    model = nn.Sequential(nn.Linear(6, 7), nn.PReLU(7), nn.Linear(7, 4)).float()
    it = subject(model)
    single = replace(it, x=it.x.float())
    double = replace(it, model=deepcopy(model).double(), x=single.x.double())

    pd.testing.assert_frame_equal(measured(single), measured(double), rtol=1e-12)


def test_a_network_of_a_user_on_pictures() -> None:
    model = nn.Sequential(
        nn.Flatten(), nn.Linear(12, 8, bias=False), IsoTanh(8), nn.Dropout(0.5),
        nn.Linear(8, 5, bias=False), nn.ReLU(inplace=True), nn.Linear(5, 3, bias=False),
    )  # fmt: skip
    x = torch.randn(200, 3, 2, 2)
    table: Any = isoexp.probe(model, x, Decisions())
    found = table.set_index("what")["value"]

    with torch.no_grad():
        y, other = model.eval()(x), linear(model, x.flatten(1))
    same = y.argmax(dim=1) == other.argmax(dim=1)
    assert found["agreement"] == same[y.any(dim=1)].double().mean().item()
    assert list(found.index) == ["agreement", "undecided", "angle_mean_rad", "angle_max_rad"]


def test_without_targets_there_is_no_accuracy() -> None:
    it = subject(chain(IsoTanh))
    rows = Decisions()(replace(it, y=None, objective=None))
    summary = Decisions().summary(rows)

    assert summary["agreement"] == 1
    assert isnan(summary["accuracy"])
    assert isnan(summary["linear_accuracy"])


def test_what_takes_no_decision_is_refused() -> None:
    it = subject(chain(IsoTanh))
    for each in (
        replace(it, y=torch.randn(300, 4), objective=Regression()),
        subject(chain(IsoTanh, classes=1), classes=1),
    ):
        with pytest.raises(Unsuitable, match="classifier of two classes at least"):
            Decisions()(each)


def test_what_is_no_row_of_linear_maps_is_refused() -> None:
    cnn = CNN((1, 6, 6), 3, Forms(IsoTanh, nn.Identity, Default()), [4], 1).eval()
    norms = MLP((6,), 3, Forms(IsoTanh, nn.LayerNorm, Default()), (8, 8)).eval()
    for it in (subject(cnn, 1, 6, 6, classes=3), subject(norms, classes=3)):
        with pytest.raises(Unsuitable, match="linear maps and activations in a row"):
            Decisions()(it)


def test_the_network_is_left_as_it_was() -> None:
    model = chain(Tanh, bias=True)
    it, before, state = subject(model), deepcopy(model.state_dict()), torch.get_rng_state()

    assert Decisions()(it) == Decisions()(it)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(torch.equal(w, before[key]) for key, w in model.state_dict().items())
    assert all(p.requires_grad and p.grad is None for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())


def test_a_network_that_says_nothing_of_its_first_samples_is_measured() -> None:
    it = subject(chain(IsoReLU))
    quiet = replace(it, x=torch.cat([1e-6 * it.x[:64], it.x[64:]]))

    value = measured(quiet)["value"]

    assert value["undecided"] >= 64 / 300
    assert value["agreement"] == 1


def test_the_figure_shows_every_number() -> None:
    tables = [
        measured(subject(chain(F))).reset_index().assign(network=name)
        for F, name in ((Tanh, "untrained"), (IsoTanh, "trained"))
    ]
    figure = Figure()
    draw(pd.concat(tables), figure)
    shares, angles = figure.axes

    for of, table in enumerate(tables):
        value = table.set_index("what")["value"]
        upper = value[["accuracy", "linear_accuracy", "agreement", "undecided"]]
        np.testing.assert_array_equal(shares.lines[of].get_ydata(), upper)
        lower = value[["angle_mean_rad", "angle_max_rad"]].clip(lower=1e-17)
        np.testing.assert_array_equal(angles.lines[of].get_ydata(), lower)
    assert "300 samples" in figure.get_suptitle()


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_runs_differ_by_their_biases() -> None:
    words = (*TINY, "epochs=1", "probe=[decisions]")
    run(*words, "model.bias=false", "name=without")
    run(*words, "name=with")
    table: Any = isoexp.read("runs", "decisions")
    found = table[table["what"] == "agreement"].set_index(["study", "network"])["value"]

    assert found["without"].tolist() == [1, 1]
    assert found["with", "untrained"] < 1
