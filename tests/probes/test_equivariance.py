"""Tests for isoexp.probes.equivariance."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from matplotlib.figure import Figure
from torch import nn

from isoexp.activations import Activation, Identity, IsoReLU, IsoTanh, RadialBasis, ReLU, Tanh
from isoexp.figures import equivariance as drawing
from isoexp.geometry import random_orthogonal
from isoexp.norms import BatchNorm, IsotropicBatchNorm, L2Norm
from isoexp.probes import Equivariance, Subject
from isoexp.probes.equivariance import commutator, errors, norms_of

from ..models.tiny import MODELS, forms
from .subjects import measure, subject

FEW = Equivariance(draws=1, samples=20)


def put(model: nn.Module, x: torch.Tensor) -> Subject:
    """A network without a task."""

    return Subject(model.eval(), x, None, None, torch.Generator().manual_seed(0))


def commutes(table: Any, of: str = "network", form: str = "all") -> dict[str, bool]:
    """For each group whether its largest error is within rounding."""

    rows = table[(table["of"] == of) & (table["form"] == form)]

    return {
        str(group): bool((part["error_max"] <= 10 * part["rounding"]).all())
        for group, part in rows.groupby("group")
    }


@pytest.mark.parametrize(
    ("activation", "groups"),
    [
        (IsoTanh, {"O(n)", "signed permutations", "permutations"}),
        (IsoReLU, {"O(n)", "signed permutations", "permutations"}),
        (Identity, {"O(n)", "signed permutations", "permutations"}),
        (Tanh, {"signed permutations", "permutations"}),
        (ReLU, {"permutations"}),
        (RadialBasis, set()),
    ],
)
def test_groups_are_those_of_the_theory(activation: type[Activation], groups: set[str]) -> None:
    """The table of functional forms, of layers and of the whole network; the control within it."""

    it = subject(activation)
    table = measure(FEW, it)
    for found in (commutes(table), commutes(table, "layer", "activation")):
        assert {group for group, yes in found.items() if yes} == groups, found
    assert (table[~table["group"].isin(groups)]["error_mean"] > 1e-2).all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_rounding_is_that_of_the_precision(dtype: torch.dtype) -> None:
    it = subject()
    table = measure(FEW, put(it.model.to(dtype), it.x.to(dtype)))

    assert (table["error_max"] <= 10 * table["rounding"]).all()
    assert table["rounding"].between(torch.finfo(dtype).eps, 100 * torch.finfo(dtype).eps).all()


def test_error_of_a_layer_against_plain_code() -> None:
    it = subject(Tanh, samples=30)
    g = {name: random_orthogonal(layer.width) for name, layer in it.layers.items()}
    found = errors(it, it.layers, g, commutator)

    h = it.x
    for name, block in zip(g, it.model.get_submodule("hidden").children(), strict=True):
        R = g[name].float()
        x = block.get_submodule("linear")(h)
        h = x.tanh()
        a, b = [(R @ v).tanh() for v in x], [R @ v.tanh() for v in x]
        difference = np.mean([(p - q).norm().item() for p, q in zip(a, b, strict=True)])
        size = max(np.mean([v.norm().item() for v in each]) for each in (a, b))
        assert found[name] == (pytest.approx(difference / size, rel=1e-5), 30)


def test_turning_one_layer_of_the_network_is_turning_its_weights() -> None:
    """Eqn 15: the same error by weights R W, R b and V Rᵀ around f as it is."""

    it = subject(Tanh, samples=50)
    table = measure(Equivariance(draws=1), it)
    row = table[(table["of"] == "network") & (table["group"] == "O(n)")].iloc[0]

    generator = torch.Generator().manual_seed(0)
    torch.randperm(50, generator=generator)
    for _ in range(2):  # of the rounding first, then of the first draw
        R = random_orthogonal(16, generator).float()
        random_orthogonal(12, generator)
    y = it.model(it.x)
    with torch.no_grad():
        first, second = (it.model.get_submodule(f"hidden.{i}.linear") for i in (0, 1))
        for module in (first, second):
            assert isinstance(module, nn.Linear)
        first.weight.copy_(R @ first.weight)  # type: ignore[operator]
        first.bias.copy_(R @ first.bias)  # type: ignore[operator]
        second.weight.copy_(second.weight @ R.T)  # type: ignore[operator]
    moved = (it.model(it.x) - y).norm(dim=1).mean() / (y - y.mean(0)).norm(dim=1).mean()

    assert row["error_mean"] == pytest.approx(moved.item(), rel=1e-4)


# A running mean is a vector, which does not turn along.
@pytest.mark.parametrize(
    ("norm", "isotropic"), [(L2Norm, True), (IsotropicBatchNorm, False), (nn.LayerNorm, False),
                            (BatchNorm, False)]
)  # fmt: skip
def test_norms_are_measured_beside_activations(norm: type[nn.Module], isotropic: bool) -> None:
    model = MODELS["mlp"].build(forms(IsoTanh, norm))
    for _ in range(5):
        model(3 * MODELS["mlp"].batch(50) + 1)  # running moments of its own
    it = put(model, 3 * MODELS["mlp"].batch(50) + 1)
    table = measure(FEW, it)

    assert commutes(table, "layer", "activation")["O(n)"]
    assert commutes(table, "layer", "norm")["O(n)"] == isotropic
    assert commutes(table)["O(n)"] == isotropic
    assert list(table[table["of"] == "layer"]["layer"][:2]) == [
        "hidden.0.norm",
        "hidden.0.activation",
    ]


def test_the_identity_is_no_norm() -> None:
    assert norms_of(MODELS["transformer"].build(forms())) == {}
    names = list(norms_of(MODELS["transformer"].build(forms(norm=nn.LayerNorm))))
    assert {name.rpartition(".")[2] for name in names} >= {"attention_norm", "norm"}


@pytest.mark.parametrize("name", ["cnn", "rnn", "transformer-tanh"])
def test_isotropic_networks_of_every_kind_do_not_mind(name: str) -> None:
    """Pictures, sequences, modules met several times."""

    model = MODELS[name].build(forms(IsoTanh)).double()
    found = commutes(measure(FEW, put(model, 3 * MODELS[name].batch(10).double())))
    assert all(found.values())


def test_channels_on_another_axis_and_norms_over_positions() -> None:
    model = nn.Sequential(
        nn.Conv2d(2, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Conv2d(6, 4, 3),
        nn.GroupNorm(1, 4), nn.Tanh(), nn.Flatten(), nn.Linear(16, 3),
    )  # fmt: skip
    it = put(model, torch.randn(9, 2, 6, 6))
    table = measure(FEW, it)
    layers = table[(table["of"] == "layer") & (table["group"] == "permutations")]

    assert list(layers["layer"]) == ["1", "2", "4", "5"]
    assert list(layers["form"]) == ["norm", "activation"] * 2
    assert list(layers["n"]) == [9 * 16, 9 * 16, 9 * 4, 9 * 4]
    assert (layers["error_max"] <= 10 * layers["rounding"]).all()  # untrained: gains are ones


def test_working_in_place_makes_no_difference() -> None:
    tables = []
    for in_place in (False, True):
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(10, 6), nn.ReLU(in_place), nn.Linear(6, 3))
        tables.append(measure(FEW, subject(model=model)))

    assert tables[0].equals(tables[1])


def test_another_space_has_no_error() -> None:
    it = subject(RadialBasis, centres=7)
    rows = FEW(it)

    assert all(error != error for error in rows["error_mean"] + rows["rounding"])
    assert set(rows["n"]) == {0}
    assert all(v != v for v in FEW.summary(rows).values())


def test_what_is_dead_or_constant_has_no_error() -> None:
    model = nn.Sequential(nn.Linear(10, 4), nn.ReLU(), nn.Linear(4, 2))
    nn.init.constant_(model[0].get_parameter("bias"), -100.0)
    table = measure(FEW, subject(model=model))

    of_layer = table[table["of"] == "layer"].set_index("group")["error_mean"]
    assert of_layer.isna().to_dict() == {
        "O(n)": False, "signed permutations": False, "permutations": True
    }  # fmt: skip
    assert measure(FEW, subject(samples=1))["error_mean"].isna().mean() > 0  # no spread


def test_one_feature_and_one_draw() -> None:
    model = nn.Sequential(nn.Linear(10, 1), IsoTanh(1), nn.Linear(1, 2))
    table = measure(FEW, subject(model=model))

    assert (table["error_max"] <= table["rounding"]).all()
    assert table["error_sd"].isna().all()


def test_modules_that_a_user_names() -> None:
    model = nn.Sequential(nn.Linear(10, 6), nn.Tanh(), nn.Softmax(dim=-1))
    it = replace(subject(model=model), modules={"2": model[2]})
    table = measure(FEW, it)

    assert set(table["layer"]) == {"2", "all"}


def test_the_same_subject_gives_the_same_bits_and_stays() -> None:
    it = subject(Tanh)
    before = it.model(it.x)
    rows = FEW(it)
    again = FEW(replace(it, generator=torch.Generator().manual_seed(0)))

    assert rows == again
    assert torch.equal(it.model(it.x), before)
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in it.model.modules())


def test_summary_is_the_worst_under_rotations() -> None:
    it = put(MODELS["mlp"].build(forms(Tanh, L2Norm)), MODELS["mlp"].batch(30))
    table = measure(FEW, it)
    turned = table[table["group"] == "O(n)"]
    summary = FEW.summary({str(k): list(v) for k, v in table.items()})

    for form in ("activation", "norm"):
        rows = turned[(turned["of"] == "layer") & (turned["form"] == form)]
        assert summary[f"{form}_error"] == rows["error_mean"].max()
    assert summary["network_error"] == turned[turned["layer"] == "all"]["error_mean"].item()


@pytest.mark.parametrize("settings", [{"draws": 0}, {"samples": 0}])
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must be at least 1"):
        Equivariance(**settings)


def test_figure_shows_the_errors_and_the_control() -> None:
    import pandas as pd

    table = measure(Equivariance(draws=3, samples=20), subject(Tanh))
    both = [measure(FEW, subject(Tanh, seed=1)).assign(network="untrained")]
    both.append(table.assign(network="trained"))
    for shown, count in ((table, 3), (pd.concat(both), 6)):
        figure = Figure()
        drawing.draw(shown, figure)
        lines: list[Any] = [each.lines[0] for each in figure.axes[0].containers]  # type: ignore[attr-defined]
        assert len(lines) == count
        expected = table[(table["of"] == "layer") & (table["group"] == "O(n)")]["error_mean"]
        np.testing.assert_array_equal(np.asarray(lines[0].get_ydata()), expected)
