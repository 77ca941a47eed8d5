"""Tests for isoexp.probes.spectrum and derivatives."""

from dataclasses import replace
from math import e, log, sqrt
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn

from isoexp.activations import Activation, Identity, IsoTanh, RadialBasis, ReLU, Sigmoid, Tanh
from isoexp.figures import spectrum as drawing
from isoexp.probes import Spectrum, Subject, Unsuitable
from isoexp.probes.derivatives import gradient_norms, jacobian
from isoexp.probes.spectrum import deviations, effective_rank, matrices, participation_ratio
from isoexp.probes.statistics import Moments
from isoexp.training import Classification, Regression

from ..models.tiny import MODELS, forms
from .subjects import measure, subject


def of(f: nn.Module, x: Tensor, **settings: Any) -> Any:
    """What is measured of a function alone as the network, as a data frame."""

    generator = torch.Generator().manual_seed(0)
    it = Subject(nn.Sequential(f).eval(), x, None, None, generator, modules={"f": f})

    return measure(Spectrum(**settings), it)


def value(table: Any, measure: str) -> float:
    """The one value of a measure."""

    (found,) = table.loc[table["measure"] == measure, "value"]

    return found


def chain(F: type[Activation], depth: int) -> Subject:
    """A deep chain of orthogonal maps, and a regression."""

    layers: list[nn.Module] = []
    for _ in range(depth):
        linear = nn.Linear(8, 8, bias=False)
        nn.init.orthogonal_(linear.weight)
        layers += [linear, F(8)]
    x, y = torch.randn(50, 8), torch.randn(50, 8)

    return Subject(nn.Sequential(*layers).eval(), x, y, Regression(), torch.Generator())


def test_ranks_of_equal_values_are_their_number() -> None:
    for k in (1, 2, 7, 100):
        sigma = torch.cat([torch.full((k,), 3e-200, dtype=torch.float64), torch.zeros(5).double()])

        assert effective_rank(sigma) == pytest.approx(k)
        assert participation_ratio(sigma) == pytest.approx(k)


def test_ranks_of_unequal_values() -> None:
    """p = (¾, ¼): exp H = 4 / 3^¾; and (9 + 1)² / (81 + 1)."""

    sigma = torch.tensor([3.0, 1.0], dtype=torch.float64)

    assert effective_rank(sigma) == pytest.approx(e ** (2 * log(2) - 0.75 * log(3)))
    assert participation_ratio(sigma) == pytest.approx(100 / 82)


def test_ranks_of_nothing_and_of_what_is_not_finite() -> None:
    for rank in (effective_rank, participation_ratio):
        assert rank(torch.zeros(3)) == 0
        assert np.isnan(rank(torch.tensor([1.0, torch.nan])))


def test_a_network_that_has_diverged_is_measured() -> None:
    it = subject(Tanh)
    with torch.no_grad():
        next(it.model.parameters()).fill_(torch.nan)
    table = measure(Spectrum(), it)

    assert table.loc[table["measure"] == "effective_rank", "value"].isna().sum() == 3
    assert table.query("of == 'activations'")["value"].isna().sum() > 30


def test_deviations_are_singular_values_of_the_centred_vectors() -> None:
    """Far from the origin too, where sums of squares would lose every digit."""

    x = 1e6 + torch.randn(100, 5, dtype=torch.float64) * torch.arange(5)
    moments = Moments()
    moments.add(x)
    reference = torch.linalg.svdvals(x - x.mean(dim=0)) / 10

    torch.testing.assert_close(deviations(moments), reference, rtol=1e-8, atol=1e-8)


def test_isotropic_data_take_up_all_directions() -> None:
    """Of N vectors of N(0, I_n) the extremes are 1 ± √(n/N) in the limit."""

    table = of(Identity(10), torch.randn(20_000, 10))
    sigma = table.loc[table["measure"] == "singular_value", "value"]

    assert value(table, "effective_rank") == pytest.approx(10, abs=0.01)
    assert value(table, "participation_ratio") == pytest.approx(10, abs=0.1)
    assert 0.95 < sigma.min() < sigma.max() < 1.05
    assert set(table["width"]) == {10}


@pytest.mark.parametrize("k", [1, 3, 8])
def test_data_of_rank_k_take_up_k_directions(k: int) -> None:
    """Wherever they lie: here on k axes of equal variance, turned, and far from the origin."""

    x = torch.eye(k).repeat(20, 1)
    x = torch.cat([x, -x]) @ torch.linalg.qr(torch.randn(12, k)).Q.mT + 5.0
    table = of(Identity(12), x)

    assert value(table, "effective_rank") == pytest.approx(k, rel=1e-3)
    assert value(table, "participation_ratio") == pytest.approx(k, rel=1e-3)


def test_memory_does_not_grow_with_the_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    """Sent through some at a time, the numbers are the same."""

    it = subject(Tanh)
    whole = measure(Spectrum(), it)
    it = subject(Tanh)
    monkeypatch.setattr("isoexp.training.AT_ONCE", 70)
    parts = measure(Spectrum(), it)

    rows = ~whole["measure"].isin(["gain", "saturated_fraction"])  # of all, but drawn otherwise
    np.testing.assert_allclose(parts["value"][rows], whole["value"][rows], rtol=1e-4, atol=1e-7)
    np.testing.assert_array_equal(parts["n"], whole["n"])


def test_dead_units_are_those_that_never_change() -> None:
    x = torch.randn(50, 4)
    x[:, 1] = -x[:, 1].abs()

    assert value(of(ReLU(4), x), "dead_fraction") == 0.25
    assert value(of(Tanh(4), x), "dead_fraction") == 0


def test_one_vector_has_no_spread() -> None:
    """One sample is no more, but for what meets it at several places."""

    with pytest.raises(Unsuitable, match="two samples at least"):
        of(Tanh(4), torch.randn(1, 4))
    assert value(of(Tanh(4), torch.randn(2, 4)), "effective_rank") == pytest.approx(1, rel=1e-5)
    one = of(Tanh(4), torch.randn(1, 3, 4))
    assert set(one.loc[one["measure"] == "dead_fraction", "n"]) == {3}


@pytest.mark.parametrize("F", [Tanh, Sigmoid, ReLU])
def test_saturation_of_an_elementwise_function_is_that_of_its_units(F: type[Activation]) -> None:
    """Against the slow reference, σ′ coordinate by coordinate."""

    x = 3 * torch.randn(40, 6, dtype=torch.float64)
    z = x.clone().requires_grad_()
    (slope,) = torch.autograd.grad(F(6)(z).sum(), z)
    table = of(F(6), x, saturated_gain=0.2)

    assert value(table, "saturated_fraction") == pytest.approx((slope < 0.2).double().mean().item())
    assert value(table, "gain") == pytest.approx(slope.square().mean(dim=1).sqrt().mean().item())
    assert 0.1 < value(table, "saturated_fraction") < 0.9


@pytest.mark.parametrize("r", [1e-3, 1.0, 5.0, 50.0])
def test_saturation_of_an_isotropic_function(r: float) -> None:
    """Singular values sech² r, once, and tanh r / r, n − 1 times."""

    n = 8
    x = nn.functional.normalize(torch.randn(30, n, dtype=torch.float64), dim=1) * r
    along, across = float(1 / np.cosh(r) ** 2), float(np.tanh(r) / r)
    table = of(IsoTanh(n), x)

    assert value(table, "gain") == pytest.approx(sqrt((along**2 + (n - 1) * across**2) / n))
    expected = ((along < 0.1) + (n - 1) * (across < 0.1)) / n
    assert value(table, "saturated_fraction") == pytest.approx(expected)


def test_what_is_saturated_far_out_and_what_is_not() -> None:
    x = 1e3 * torch.ones(20, 5)

    assert value(of(Tanh(5), x), "saturated_fraction") == 1
    assert value(of(Identity(5), x), "saturated_fraction") == 0
    assert value(of(Identity(5), x), "gain") == pytest.approx(1)


def test_a_layer_to_fewer_features_loses_directions() -> None:
    linear = nn.Linear(6, 2)
    table = of(linear, torch.randn(9, 6), saturated_gain=1e-6).query("of == 'activations'")

    assert value(table, "saturated_fraction") == pytest.approx(4 / 6)
    assert value(table, "gain") == pytest.approx(linear.weight.norm().item() / sqrt(6))
    table = of(RadialBasis(3, centres=7), torch.randn(20, 3))
    assert set(table["width"]) == {7}


def test_the_jacobian_is_that_of_reverse_mode() -> None:
    f, x = IsoTanh(5), torch.randn(3, 5, dtype=torch.float64)
    reference = torch.stack([torch.autograd.functional.jacobian(f, each) for each in x])  # pyright: ignore

    torch.testing.assert_close(jacobian(f, x), reference)


def test_fewer_jacobians_are_taken_of_wide_layers() -> None:
    """As many as are held in so many numbers, evenly among the vectors."""

    table = of(Tanh(700), torch.randn(20, 700))

    assert set(table.loc[table["measure"] == "gain", "n"]) <= {7, 8}
    assert set(table.loc[table["measure"] == "effective_rank", "n"]) == {20}


def test_gradients_vanish_through_sigmoids_and_not_through_identities() -> None:
    """σ′ ≤ ¼ at each of ten layers; an orthogonal chain keeps every norm."""

    vanishing, kept = (list(gradient_norms(chain(F, 10)).values()) for F in (Sigmoid, Identity))

    assert vanishing[0] <= 0.25**9 * vanishing[-1]
    assert vanishing == sorted(vanishing)
    np.testing.assert_allclose(kept, kept[0], rtol=1e-5)


def test_gradients_are_those_of_each_sample_alone() -> None:
    """Against the slow reference: one sample at a time, kept by retain_grad."""

    it = subject(Tanh, samples=7)
    assert it.y is not None
    mlp = it.model
    expected = []
    for a, b in zip(it.x, it.y, strict=True):
        h = mlp.get_submodule("hidden.0")(a[None])
        h.retain_grad()
        out = mlp.get_submodule("readout")(mlp.get_submodule("hidden.1")(h))
        nn.functional.cross_entropy(out, b[None]).backward()
        expected.append(h.grad.norm().item())

    found = gradient_norms(subject(Tanh, samples=7))["hidden.0.activation"]
    assert found == pytest.approx(np.mean(expected), rel=1e-5)


def test_gradients_of_each_step_of_a_recurrence_add_up() -> None:
    """A module that is called T times has T places, of which the norm is one."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.f = nn.Tanh()

        def forward(self, x: Tensor) -> Tensor:
            return self.f(self.f(x))

    x, y = torch.randn(1, 4, dtype=torch.float64), torch.zeros(1, 4, dtype=torch.float64)
    it = Subject(Twice().eval(), x, y, Regression(), torch.Generator())
    first, last = x.tanh(), x.tanh().tanh()
    at_last = 2 * last / 4
    at_first = at_last * (1 - last**2)

    assert gradient_norms(it)["f"] == pytest.approx(torch.cat([at_first, at_last]).norm().item())
    assert first.shape == last.shape


def test_gradients_need_targets() -> None:
    it = replace(subject(Tanh), y=None)
    rows = Spectrum()(it)

    assert "gradient_norm" not in rows["measure"]
    assert np.isnan(Spectrum().summary(rows)["gradient_ratio"])
    assert "gradient_norm" in Spectrum()(subject(Tanh))["measure"]


def test_gradients_flow_where_nothing_wants_them() -> None:
    """Frozen parameters change nothing, and in-place activations are no obstacle."""

    model = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4), nn.ReLU(), nn.Linear(4, 3))
    inplace = nn.Sequential(*(nn.ReLU(inplace=True) if i % 2 else m for i, m in enumerate(model)))
    x, y = torch.randn(20, 6), torch.randint(3, (20,))

    def norms(model: nn.Module) -> dict[str, float]:
        return gradient_norms(Subject(model.eval(), x, y, Classification(), torch.Generator()))

    plain = norms(model)
    assert norms(inplace) == plain
    assert norms(model.requires_grad_(False)) == plain
    assert plain["1"] > 0


def test_every_linear_map_is_a_matrix() -> None:
    model = nn.ModuleDict(
        {
            "dense": nn.Linear(3, 2),
            "conv": nn.Conv2d(3, 5, 2),
            "back": nn.ConvTranspose2d(3, 5, 2),
            "spectral": nn.utils.parametrizations.spectral_norm(nn.Linear(4, 6)),
            "steps": nn.GRU(3, 2),
            "attention": nn.MultiheadAttention(4, 2),
            "norm": nn.BatchNorm2d(3),
        }
    )
    shapes = {name: tuple(W.shape) for name, W in matrices(model)}

    assert shapes == {
        "dense.weight": (2, 3),
        "conv.weight": (5, 12),
        "back.weight": (5, 12),
        "spectral.weight": (6, 4),
        "steps.weight_ih_l0": (6, 3),
        "steps.weight_hh_l0": (6, 2),
        "attention.in_proj_weight": (12, 4),
        "attention.out_proj.weight": (4, 4),
    }


def test_weights_of_known_spectrum() -> None:
    linear = nn.Linear(6, 4)
    with torch.no_grad():
        linear.weight.copy_(torch.diag(torch.tensor([4.0, 3.0, 2.0, 0.0, 0.0, 0.0]))[:4])
    table = of(linear, torch.randn(5, 6)).query("of == 'weights'")
    sigma = table.loc[table["measure"] == "singular_value"]

    assert sigma["value"].tolist() == pytest.approx([4, 3, 2, 0])
    assert sigma["index"].tolist() == [1, 2, 3, 4]
    assert set(table["layer"]) == {"0.weight"}
    assert value(table, "participation_ratio") == pytest.approx(29**2 / (256 + 81 + 16))


@pytest.mark.parametrize("name", MODELS)
def test_every_model_can_be_measured(name: str) -> None:
    tiny = MODELS[name]
    model = tiny.build(forms(IsoTanh)).eval()
    it = Subject(model, tiny.batch(4), None, None, torch.Generator())
    if "utoencoder" in repr(tiny.model):
        it = replace(it, y=it.x, objective=Regression())
    elif isinstance(tiny.outputs, int):
        it = replace(it, y=torch.tensor([0, 1, 2, 0]), objective=Classification())
    table = measure(Spectrum(), it)

    assert table["value"].notna().all()
    assert set(table["of"]) == {"activations", "weights"}
    assert (table["measure"] == "gradient_norm").any() == (it.y is not None)


def test_channels_of_pictures_are_features() -> None:
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.ReLU(inplace=True), nn.Flatten())
    it = Subject(model.eval(), torch.randn(7, 2, 5, 5), None, None, torch.Generator())
    table = measure(Spectrum(), it)

    assert set(table.query("of == 'activations'")["width"]) == {3}
    assert set(table.loc[table["measure"] == "dead_fraction", "n"]) == {7 * 9}


def test_the_network_is_left_as_it_was() -> None:
    it = subject(Tanh)
    it.model(it.x).sum().backward()
    before = {
        k: (p.detach().clone(), p.grad.clone(), p.requires_grad)  # pyright: ignore
        for k, p in it.model.named_parameters()
    }
    Spectrum()(it)

    for name, p in it.model.named_parameters():
        assert torch.equal(p, before[name][0])
        assert torch.equal(p.grad, before[name][1])  # pyright: ignore[reportArgumentType]
        assert p.requires_grad == before[name][2]
    for module in it.model.modules():
        assert not module.training
        assert not module._forward_hooks


def test_the_same_subject_gives_the_same_bits() -> None:
    first, second = (measure(Spectrum(vectors=20), subject(Tanh)) for _ in range(2))

    pd.testing.assert_frame_equal(first, second, check_exact=True)
    assert list(first.columns) == list(Spectrum.schema)


def test_the_summary_is_of_the_activations() -> None:
    rows = Spectrum()(subject(ReLU))
    table: Any = pd.DataFrame(rows).query("of == 'activations'")
    means = table.groupby("measure")["value"].mean()
    norms = table.loc[table["measure"] == "gradient_norm", "value"].tolist()

    assert Spectrum().summary(rows) == pytest.approx(
        {
            "effective_rank": means["effective_rank"],
            "dead_fraction": means["dead_fraction"],
            "saturated_fraction": means["saturated_fraction"],
            "gradient_ratio": norms[0] / norms[1],
        }
    )


def test_the_figure_shows_the_numbers_of_the_table() -> None:
    parts = []
    for step, network in ((0, "untrained"), (10, "trained")):
        part = measure(Spectrum(), subject(Tanh, seed=step))
        parts.append(part.assign(network=network, step=step))
    table: Any = pd.concat(parts)
    figure = Figure()
    drawing.draw(table, figure)
    axes = {each.get_title(): each for each in figure.axes}

    def shown(panel: str, values: Any) -> bool:
        return any(np.array_equal(line.get_ydata(), values) for line in axes[panel].lines)

    for (of, layer, _), rows in table.groupby(["of", "layer", "network"]):
        sigma = rows.loc[rows["measure"] == "singular_value", "value"]
        assert shown(f"singular values of {of}", sigma), (of, layer)
    for layer, rows in table.query("of == 'activations'").groupby("layer"):
        gains = rows.loc[rows["measure"] == "gain", "value"]
        assert shown("gain of activations", gains), layer
    assert "200 vectors" in figure.get_suptitle()

    alone = Figure()
    drawing.draw(measure(Spectrum(), replace(subject(Tanh), y=None)), alone)
    assert len(alone.axes[0].lines) == 2


@pytest.mark.parametrize("settings", [{"saturated_gain": 0.0}, {"vectors": 0}])
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        Spectrum(**settings)
