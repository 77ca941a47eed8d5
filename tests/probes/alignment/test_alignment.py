"""Tests for isoexp.probes.alignment: what it measures, its controls, and the causal test."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from scipy.stats import binomtest
from sklearn.datasets import load_digits
from torch import Tensor, nn

from isoexp.activations import Identity, IsoTanh, ReLU, Rotated, Tanh
from isoexp.figures import alignment as figure_of
from isoexp.geometry import coordinate_cdf
from isoexp.inits import Gaussian
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.probes import Alignment
from isoexp.probes.alignment.views import View, average, interval_95, mean_of_samples

from ..subjects import measure, subject

QUICK = Alignment(bases=4, angles=37, planes=100, sectors=8)


def probed(
    model: nn.Module, x: Tensor, probe: Alignment = QUICK, gain: float = 1.0, **given: Any
) -> Any:
    """The alignment of a network on samples."""

    return measure(probe, replace(subject(model=model), x=gain * x, y=None, **given))


def gaussian(samples: int, n: int) -> Tensor:
    return torch.randn(samples, n)


def rows_of(table: Any, basis: str, measure: str) -> Any:
    return table[(table["basis"] == basis) & (table["measure"] == measure)]


def number(table: Any, basis: str, measure: str, column: str = "value") -> float:
    rows = rows_of(table, basis, measure)
    assert len(rows) == 1

    return float(rows[column].iloc[0])


# --- the null -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 2, 3, 8, 64])
def test_isotropic_data_is_at_the_null(n: int) -> None:
    """Distance: E ½Σ|p̂ − p| ≤ ½ √(bins / samples). The rest: within five standard errors."""

    table = probed(Identity(n), gaussian(2000, n))

    for basis in ("standard", "random"):
        assert number(table, basis, "distance") < 0.5 * (61 / 2000) ** 0.5
    shares = table[table["measure"].isin(["coordinate", "spotlight", "plane", "plane_angle"])]
    error = np.sqrt(shares["null"] * (1 - shares["null"]) / 2000)
    assert (abs(shares["value"] - shares["null"]) <= 5 * error + 1e-12).all()
    for measured in ("kurtosis", "nearest_cosine"):
        (row,) = rows_of(table, "standard", measured).to_dict("records")
        reach = 2.6 * (row["high"] - row["low"]) / 2  # of 1.96 standard errors: five
        assert abs(row["value"] - row["null"]) <= reach + 1e-12, measured


def test_any_data_is_at_the_null_on_average_over_bases() -> None:
    """One vector is as far from isotropic as can be; 400 Haar bases, within five errors.

    A share between 0 and 1 of mean q has no larger variance than q(1 − q).
    """

    probe = replace(QUICK, bases=400, planes=6)
    table = probed(Identity(4), torch.tensor([[1.0, 2.0, 0.0, 0.0]]), probe)
    random = table[table["basis"] == "random"]

    shares = random[random["null"].between(0.02, 1) & (random["measure"] != "nearest_cosine")]
    assert len(shares) > 60
    error = np.sqrt(shares["null"] * (1 - shares["null"]) / 400)
    assert (abs(shares["value"] - shares["null"]) < 5 * error).all()
    for measured in ("kurtosis", "nearest_cosine"):
        (row,) = rows_of(table, "random", measured).to_dict("records")
        assert abs(row["value"] - row["null"]) < 5 * row["value_sd"] / 20

    standard = rows_of(table, "standard", "kurtosis").iloc[0]
    assert standard["value"] == pytest.approx(16 * (1 + 16) / 25 / 4)
    assert standard["null"] == pytest.approx(2.0)


def test_the_null_is_that_of_the_sphere() -> None:
    rows = rows_of(probed(Identity(6), gaussian(10, 6)), "standard", "coordinate")
    middle = np.asarray(rows["at"])
    expected = coordinate_cdf(middle + 1 / 61, 6) - coordinate_cdf(middle - 1 / 61, 6)

    np.testing.assert_allclose(rows["null"], expected, atol=1e-15)


@pytest.mark.parametrize("n", [1, 2, 5, 200])
def test_shares_add_up(n: int) -> None:
    table = probed(Identity(n), gaussian(50, n))
    rows = table[table["measure"] == "coordinate"]

    np.testing.assert_allclose(rows.groupby("basis")[["value", "null"]].sum(), 1.0)


def test_shells_add_up_to_their_sectors() -> None:
    table = probed(Tanh(5), gaussian(50, 5))
    for basis in ("standard", "random", "axes"):
        shells = rows_of(table, basis, "plane").groupby("at")[["value", "null"]].sum()
        whole = rows_of(table, basis, "plane_angle").set_index("at")[["value", "null"]]
        np.testing.assert_allclose(shells, whole.loc[shells.index])
    assert rows_of(table, "standard", "plane_angle")["null"].sum() == pytest.approx(0.5)


# --- what leans on a basis, and what does not -----------------------------------------------


def test_saturated_tanh_lies_in_the_corners() -> None:
    """x̂ = (±1, …)/√n: kurtosis 1, cosine 1/√n, spotlights of 10 % see it at 45°; no Haar basis."""

    table = probed(Tanh(8), gaussian(1000, 8), gain=1e4)
    sweep = rows_of(table, "standard", "spotlight")
    wide = sweep[sweep["null"] == 0.1].set_index("at")["ratio"]

    assert number(table, "standard", "kurtosis") == pytest.approx(1.0, rel=1e-2)
    assert number(table, "standard", "nearest_cosine") == pytest.approx(8**-0.5, rel=1e-2)
    assert number(table, "standard", "distance") > 0.8
    assert wide.iloc[[0, 9, 18, 27, 36]].max() < 0.1
    assert wide.iloc[4:36:9].min() > 2  # 40°, 130°, …
    assert not sweep[sweep["null"] == 0.01]["value"].gt(0.001).any()
    assert abs(number(table, "random", "kurtosis", "ratio") - 1) < 0.1


def test_vectors_on_the_axes_are_found_there() -> None:
    """Kurtosis n, cosine 1, and light at the quarters of the circle only."""

    table = probed(Identity(6), torch.eye(6).repeat(5, 1))
    sweep = rows_of(table, "standard", "spotlight").set_index("at")["ratio"].to_numpy()[:37]

    assert number(table, "standard", "kurtosis") == pytest.approx(6)
    assert number(table, "standard", "nearest_cosine") == pytest.approx(1)
    assert sweep[[0, 27, 36]].min() > 5
    assert sweep[[4, 5, 9, 13, 14, 18, 22, 23, 31, 32]].max() == 0


def test_the_pattern_goes_with_the_basis_of_the_function() -> None:
    """The causal test without training: tanh in a basis B leaves the standard one for B."""

    x = gaussian(1000, 16)
    plain, turned = (
        probed(nn.Sequential(f(16)), x, gain=100.0) for f in (Tanh, partial(Rotated, form=Tanh))
    )

    for measured in ("kurtosis", "distance", "nearest_cosine"):
        there = number(turned, "own", measured)
        assert there == pytest.approx(number(plain, "standard", measured), rel=0.05)
    own, standard = (rows_of(turned, basis, "spotlight") for basis in ("own", "standard"))
    assert own["ratio"].max() > 1.5 * standard["ratio"].max()
    assert number(turned, "standard", "kurtosis") > 1.5 * number(turned, "own", "kurtosis")
    assert "own" not in set(plain["basis"])


@pytest.fixture(scope="module")
def digits() -> tuple[Tensor, Tensor]:
    images, labels = load_digits(return_X_y=True)

    return torch.tensor(images[:300]).float() / 8 - 1, torch.tensor(labels[:300])


def trained(
    form: Callable[[int], nn.Module], build: Any, seed: int, digits: tuple[Tensor, Tensor]
) -> dict[str, float]:
    """The summary of a small network trained on digits, of isotropic first weights."""

    torch.manual_seed(seed)
    x, y = digits
    model = MLP((64,), 10, Forms(form, nn.Identity, Gaussian()), (16,))
    optimizer = build(model.parameters())
    for _ in range(100):
        optimizer.zero_grad()
        F.cross_entropy(model(x), y).backward()
        optimizer.step()
    assert (model(x).argmax(dim=1) == y).float().mean() > 0.9

    probe = replace(QUICK, bases=32, planes=4, angles=5)

    return probe.summary(probe(replace(subject(model=model, seed=seed), x=x, y=y)))


SGD = partial(torch.optim.SGD, lr=0.3, momentum=0.9)
ADAM = partial(torch.optim.Adam, lr=0.03)


def test_training_marks_the_basis_of_the_function_and_of_adam(
    digits: tuple[Tensor, Tensor],
) -> None:
    """Of an isotropic network trained by SGD the standard basis is a Haar-random one: |z| of 32
    of them goes beyond 4.5 once in ten thousand."""

    plain = trained(Tanh, SGD, 0, digits)
    turned = trained(partial(Rotated, form=Tanh), SGD, 0, digits)
    isotropic = trained(IsoTanh, SGD, 0, digits)
    marked = trained(IsoTanh, ADAM, 0, digits)

    assert plain["kurtosis_z"] < -4.5  # −12 … −6.8 over 20 seeds
    assert abs(turned["kurtosis_z"]) < 4.5
    assert turned["kurtosis_own"] == pytest.approx(plain["kurtosis_standard"], abs=0.1)
    assert abs(isotropic["kurtosis_z"]) < 4.5
    assert marked["kurtosis_standard"] < 0.85  # 0.72 … 0.77 over 20 seeds


# --- bases ----------------------------------------------------------------------------------


class Leaning(nn.Module):
    """A user's activation, with vectors of its own: more than features, and not of length 1."""

    def __init__(self, basis: Any) -> None:
        super().__init__()

        self.basis = basis

    def forward(self, x: Tensor) -> Tensor:
        return x


def test_a_users_own_basis_may_be_overcomplete() -> None:
    three = torch.tensor([[2.0, 0.0], [-1.0, 3**0.5], [-1.0, -(3**0.5)]]).T
    f = Leaning(torch.cat([three, torch.zeros(2, 1)], dim=1))
    table = probed(f, torch.tensor([[1.0, 0.0]] * 3), modules={"f": f})

    assert set(table["basis"]) == {"standard", "random", "own", "axes"}
    assert set(rows_of(table, "own", "spotlight")["planes"]) == {6}
    assert number(table, "own", "nearest_cosine") == pytest.approx(1)
    assert np.isnan(number(table, "own", "nearest_cosine", "null"))
    assert number(table, "own", "kurtosis") == pytest.approx(4 * (1 + 2 / 16) / 3)


@pytest.mark.parametrize(
    "basis", [None, "standard", torch.ones(3), torch.ones(5, 5), torch.zeros(2, 2)]
)
def test_what_is_no_basis_is_none(basis: Any) -> None:
    f = Leaning(basis)

    assert "own" not in set(probed(f, gaussian(5, 2), modules={"f": f})["basis"])


def test_planes_are_counted() -> None:
    table = probed(Tanh(6), gaussian(20, 6), replace(QUICK, planes=20, thomson=5))

    assert set(table[table["measure"] == "kurtosis"]["planes"]) == {0}
    assert set(rows_of(table, "standard", "spotlight")["planes"]) == {20}
    assert set(rows_of(table, "thomson", "spotlight")["planes"]) == {20}
    assert 0 < rows_of(table, "axes", "plane")["planes"].iloc[0] <= 20
    assert not len(rows_of(table, "thomson", "kurtosis"))
    whole = probed(Tanh(6), gaussian(20, 6))
    assert set(rows_of(whole, "standard", "plane_angle")["planes"]) == {30}
    assert set(rows_of(whole, "axes", "plane_angle")["planes"]) <= set(range(80, 101))


def test_signed_scores_are_one_minus_the_opposite() -> None:
    table = probed(ReLU(4), gaussian(60, 4))
    for basis in ("standard", "axes"):
        sweep, signed = (
            rows_of(table, basis, name)["value"].to_numpy()[:37]
            for name in ("spotlight", "spotlight_signed")
        )
        np.testing.assert_allclose(signed[:19], sweep[:19] - sweep[18:], atol=1e-15)
        np.testing.assert_allclose(signed[18:], sweep[18:] - sweep[:19], atol=1e-15)
    assert abs(rows_of(table, "axes", "spotlight_signed")["value"].sum()) < 1  # ±ê: nearly even


# --- intervals ------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [0, 1, 7, 20])
def test_shares_have_the_exact_binomial_interval(k: int) -> None:
    share = np.array([k / 20])
    low, high = interval_95(View("", share, share, share), 20)
    expected = binomtest(k, 20).proportion_ci(0.95, method="exact")

    np.testing.assert_allclose([low[0], high[0]], [expected.low, expected.high], atol=1e-12)


def test_numbers_of_samples_have_the_normal_interval() -> None:
    """Of a signed score too: a number of each sample that is −1, 0 or 1, in one plane."""

    each = np.array([1.0, 1.0, 0.0, -1.0, 1.0, 0.0])
    low, high = interval_95(mean_of_samples("", each, 0.0), 6)
    error = 1.959963985 * each.std(ddof=1) / 6**0.5
    np.testing.assert_allclose([low[0], high[0]], each.mean() + error * np.array([-1, 1]))

    table = probed(Identity(2), gaussian(40, 2), replace(QUICK, planes=1, levels=[0.3]))
    sweep, signed = (rows_of(table, "standard", name) for name in ("spotlight", "spotlight_signed"))
    share, value = sweep["value"].to_numpy(), signed["value"].to_numpy()
    variance = (2 * share - value) - value**2
    half = (signed["high"] - signed["low"]) / 2
    np.testing.assert_allclose(half, 1.959963985 * np.sqrt(variance / 40))


def test_the_scatter_of_bases_is_that_of_a_sample() -> None:
    curves = [mean_of_samples("", np.array([v, v]), 0.0) for v in (1.0, 2.0, 6.0)]
    mean, sd = average(curves)

    np.testing.assert_allclose([mean.value[0], sd[0]], [3, 7**0.5])
    assert np.isnan(average(curves[:1])[1]).all()


def test_intervals_hold_their_values() -> None:
    table = probed(Tanh(5), gaussian(60, 5))
    table = table[(table["measure"] != "distance") & (table["basis"] != "random")]

    assert (table["low"] <= table["value"]).all()
    assert (table["value"] <= table["high"]).all()
    assert (table["value_sd"].isna()).all()


# --- singular points ------------------------------------------------------------------------


def test_zero_vectors_are_counted_and_left_out() -> None:
    x = torch.cat([-torch.ones(30, 10), torch.ones(10, 10)])
    table = probed(ReLU(10), x)

    assert set(table["undefined_fraction"]) == {0.75}
    assert set(table["n"]) == {40}
    assert number(table, "standard", "kurtosis") == pytest.approx(1)  # of those that are left
    whole = probed(ReLU(10), x.abs())
    for measured in ("spotlight", "plane_angle"):  # in planes they count
        ours, theirs = (rows_of(t, "standard", measured)["value"] for t in (table, whole))
        np.testing.assert_allclose(ours, theirs / 4, atol=1e-15)


def test_nothing_but_zeros_is_no_error() -> None:
    table = probed(ReLU(10), -torch.ones(5, 10))

    assert set(table["undefined_fraction"]) == {1.0}
    assert (rows_of(table, "standard", "spotlight")["value"] == 0).all()
    assert np.isnan(number(table, "standard", "kurtosis"))
    assert all(np.isnan(v) for v in QUICK.summary(table.to_dict("list")).values())


@pytest.mark.parametrize(("samples", "n"), [(1, 3), (1, 1), (5, 1), (1, 2)])
def test_one_sample_and_one_feature(samples: int, n: int) -> None:
    table = probed(Tanh(n), gaussian(samples, n), replace(QUICK, thomson=3))

    assert ("spotlight" in set(table["measure"])) == (n > 1)
    assert table["value"].notna().all()
    assert number(table, "standard", "nearest_cosine", "null") <= 1 + 1e-12


# --- the contract ---------------------------------------------------------------------------


def test_rows_are_tidy_and_repeat() -> None:
    first, second = (QUICK(subject(Tanh)) for _ in range(2))

    assert list(first) == list(QUICK.schema)
    assert len({len(column) for column in first.values()}) == 1
    pd.testing.assert_frame_equal(pd.DataFrame(first), pd.DataFrame(second))
    for column, kind in QUICK.schema.items():
        assert {type(value) for value in first[column]} == {kind}, column


def test_the_network_is_left_as_it_was() -> None:
    it = subject(Tanh)
    before = {name: t.clone() for name, t in it.model.state_dict().items()}
    QUICK(it)

    assert all(torch.equal(t, before[name]) for name, t in it.model.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in it.model.modules())
    assert all(p.requires_grad and p.grad is None for p in it.model.parameters())


def test_so_many_samples_at_most() -> None:
    assert set(probed(Tanh(4), gaussian(50, 4), replace(QUICK, samples=20))["n"]) == {20}


def test_channels_of_a_users_network_are_features() -> None:
    net = nn.Sequential(nn.Conv2d(3, 5, 3), nn.BatchNorm2d(5), nn.ReLU(inplace=True), nn.Flatten())
    table = probed(net.eval(), torch.randn(4, 3, 6, 6))

    assert set(table["width"]) == {5}
    assert set(table["n"]) == {4 * 16}


def test_the_summary_is_the_mean_over_layers() -> None:
    table = measure(QUICK, it := subject(Tanh))
    summary = QUICK.summary(QUICK(replace(it, generator=torch.Generator().manual_seed(0))))
    one, many = (rows_of(table, basis, "kurtosis") for basis in ("standard", "random"))

    assert summary["distance_standard"] == pytest.approx(
        rows_of(table, "standard", "distance")["value"].mean()
    )
    assert summary["kurtosis_standard"] == pytest.approx(one["ratio"].mean())
    z = (one["value"].to_numpy() - one["null"].to_numpy()) / many["value_sd"].to_numpy()
    assert summary["kurtosis_z"] == pytest.approx(z.mean())
    assert np.isnan(summary["kurtosis_own"])
    assert np.isnan(summary["distance_own"])


@pytest.mark.parametrize(
    "settings",
    [
        {"bins": 1}, {"bases": 1}, {"planes": 0}, {"sectors": 0}, {"samples": 0}, {"levels": []},
        {"levels": [0.0]}, {"levels": [0.1, 0.5]}, {"angles": 360}, {"kept": 0.0}, {"kept": 1.0},
        {"thomson": 1}, {"thomson": -1},
    ],
)  # fmt: skip
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must be"):
        Alignment(**settings)


# --- the figure -----------------------------------------------------------------------------


def test_the_figure_shows_the_table() -> None:
    table = measure(QUICK, subject(partial(Rotated, form=Tanh)))  # type: ignore[arg-type]
    layers = list(dict.fromkeys(table["layer"]))
    figure_of.draw(table, figure := Figure())
    plots = [axes for axes in figure.axes if axes.name == "rectilinear" and axes.lines]

    assert len(plots) == 2 * len(layers)
    for layer, (density, sweep) in zip(
        layers, zip(plots[::2], plots[1::2], strict=True), strict=True
    ):
        rows = table[table["layer"] == layer]
        shown = {str(line.get_label()): np.asarray(line.get_ydata()) for line in density.lines}
        assert len(shown) == 4
        for curve in shown.values():
            assert curve.sum() * 2 / 61 == pytest.approx(1)
        own = rows_of(rows, "own", "coordinate")["value"] * 61 / 2
        np.testing.assert_allclose(shown["its own basis"], own)
        wide = rows_of(rows, "own", "spotlight")
        np.testing.assert_array_equal(
            sweep.lines[4].get_ydata(), wide[wide["null"] == 0.1]["ratio"]
        )
    assert f"{table['n'].iloc[0]} samples" in figure.get_suptitle()


def test_the_figure_of_a_single_feature_has_no_planes() -> None:
    figure_of.draw(probed(Tanh(1), gaussian(9, 1)), figure := Figure())

    assert not any(axes.name == "polar" for axes in figure.axes)
