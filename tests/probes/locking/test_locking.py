"""Tests for isoexp.probes.locking."""

import copy
import math
from collections.abc import Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
import torch.nn.functional as F
from matplotlib.figure import Figure
from torch import Tensor, nn

from isoexp.activations import IsoTanh, Tanh
from isoexp.ensemble import Ensemble
from isoexp.figures import locking as drawing
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.probes import Locking, Subject, Unsuitable
from isoexp.probes.landscape import Landscape, state_of
from isoexp.training import Regression

from ...models.tiny import MODELS, forms
from ..subjects import loss, measure, subject

AFTER = ["loss_retrained", "barrier", "barrier_aligned", "returned", "agreement"]
"""The columns that need training."""


class Attention(nn.Module):
    """Torch's attention, which is fused and has no second derivative, and an activation behind."""

    def __init__(self) -> None:
        super().__init__()

        self.turn = nn.Linear(4, 4)
        self.behind = nn.Sequential(nn.Linear(4, 2), nn.GELU())  # no junction: all weights move

    def forward(self, x: Tensor) -> Tensor:
        q = self.turn(x)[:, None]

        return self.behind(F.scaled_dot_product_attention(q, q, q)[:, 0])


class TwoWells(nn.Module):
    """x ↦ w² x, whose squared error from x is (w² − 1)² E x²: minima at ±1, a barrier at 0."""

    def __init__(self) -> None:
        super().__init__()

        self.w = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.w.square() * x


def descending(it: Subject, lr: float) -> Subject:
    """The subject with a refit: gradient descent on all of its samples at once."""

    x, y = it.train or (it.x, it.task[0])

    def refit(networks: Sequence[nn.Module], steps: int, rate: float) -> list[nn.Module]:
        ensemble = Ensemble([copy.deepcopy(network) for network in networks])
        weights = list(ensemble.parameters.values())
        inputs, targets = (t.expand(len(networks), *t.shape) for t in (x, y))
        for _ in range(steps):
            losses = it.task[1].losses(ensemble(inputs), inputs, targets).mean(dim=1)
            for p, g in zip(weights, torch.autograd.grad(losses.sum(), weights), strict=True):
                p.data -= lr * rate * g
        return [ensemble.member(k) for k in range(ensemble.size)]

    return replace(it, refit=refit)


@cache
def trained(activation: type[nn.Module], seed: int, dtype: torch.dtype) -> Subject:
    torch.manual_seed(seed)
    x = torch.randn(256, 4)
    y = (x @ torch.randn(4, 3) + x.square() @ torch.randn(4, 3)).argmax(dim=1)
    model = MLP((4,), 3, Forms(activation, nn.Identity, Default()), (5, 5)).eval()
    it = replace(subject(), model=model, x=x[128:], y=y[128:], train=(x[:128], y[:128]))
    it = descending(it, 0.5)
    assert it.refit is not None

    return replace(it, model=it.refit([model], 300, 1.0)[0])


def learnt(activation: type[nn.Module], seed: int = 0) -> Subject:
    """A network of 4 features, 5, 5 into 3 classes, trained on a teacher's answers."""

    it = trained(activation, seed, torch.get_default_dtype())

    return replace(it, generator=torch.Generator().manual_seed(seed))


def wells() -> Subject:
    x = torch.tensor([[1.0], [-1.0]]).repeat(4, 1)

    return descending(
        Subject(TwoWells().eval(), x, x, Regression(), torch.Generator().manual_seed(0)), 0.02
    )


@pytest.mark.usefixtures("float64")
def test_two_wells_are_left_beyond_the_barrier_alone() -> None:
    """w = 1 + s or 1 − s: the other well is reached from below 0, across the barrier of 1."""

    table = measure(Locking(0.5, 1.5, 2, 16, 100, 1.0), wells())
    moved = table[table["kind"] == "random"]
    crossed = moved["loss_after"].round(6) == round((0.5**2 - 1) ** 2, 6)  # at ±½
    crossed &= moved["size"] > 1

    assert set(moved["kind"]) == {"random"}
    assert 0 < crossed.sum() < 16
    np.testing.assert_array_equal(moved["returned"], np.where(crossed, 0.0, 1.0))
    np.testing.assert_allclose(moved["barrier"], np.where(crossed, 1.0, 0.0), atol=1e-6)
    np.testing.assert_allclose(moved["loss_retrained"], 0.0, atol=1e-6)
    np.testing.assert_allclose(moved["curvature"], 8.0)  # d²/dw² (w² − 1)² at 1
    np.testing.assert_allclose(moved["loss_guess"], 1.0)

    summary = Locking().summary({name: list(table[name]) for name in table})
    rate = 1 - crossed.sum() / 32
    assert summary["return_rate_random"] == pytest.approx(rate)
    escaped = crossed.sum() > 8
    assert summary["escape_size_random"] == pytest.approx(1.5 if escaped else math.nan, nan_ok=True)
    assert math.isnan(summary["loss_increase_orbit"])


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("seed", range(3))
def test_convex_losses_hold_nobody(seed: int) -> None:
    """A linear model returns from everywhere, and no barrier is ever in its way."""

    torch.manual_seed(seed)
    x = torch.linalg.qr(torch.randn(40, 5))[0] * 40**0.5
    y = x @ torch.randn(5, 2) + torch.randn(40, 2)
    it = Subject(nn.Linear(5, 2).eval(), x, y, Regression.on(x, y), torch.Generator())
    table = measure(Locking(0.1, 30.0, 3, 3, 80, 1.0), descending(it, 0.3))

    assert (table["returned"] == 1).all()
    assert (table["barrier"] < 1e-12).all()
    assert table["loss_after"].max() > 10 * table["loss_before"].max()
    none = ["agreement", "accuracy_after", "accuracy_retrained", "barrier_aligned"]
    assert table[none].isna().all(axis=None)


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("seed", range(2))
def test_rotations_cost_an_isotropic_network_nothing(seed: int) -> None:
    probe = Locking(0.3, 3.0, 2, 2, steps=5, rate=0.1)
    by: dict[str, Any] = {}
    for name, activation in (("iso", IsoTanh), ("tanh", Tanh)):
        it = learnt(activation, seed)
        table = measure(probe, it)
        by[name] = table[table["kind"] == "orbit"]

    iso, tanh = by["iso"], by["tanh"]
    assert (iso["loss_after"] - iso["loss_before"]).abs().max() < 1e-10
    assert iso["curvature"].abs().max() < 1e-10
    assert (iso["returned"] == 1).all()
    assert (iso["agreement"] == 1).all()
    assert (iso["barrier_aligned"] < 1e-2 * iso["loss_guess"]).all()
    assert iso["barrier"].max() > 0.02 * iso["loss_guess"].max()  # what the rotation hides

    assert tanh["barrier_aligned"].isna().all()
    assert (tanh["loss_after"] - tanh["loss_before"]).abs().min() > 1e-7
    assert (tanh["returned"][tanh["size"] == 3.0] == 0).all()
    assert tanh["curvature"].abs().min() > 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("activation", [IsoTanh, Tanh])
def test_small_perturbations_return_and_large_ones_do_not(activation: type[nn.Module]) -> None:
    table = measure(Locking(0.01, 5.0, 2, 3, 50, 0.2), learnt(activation))
    moved = table[table["kind"].isin(["random", "across"])]

    assert (moved["returned"] == (moved["size"] < 1)).all()
    control = table.iloc[0]
    assert (control["kind"], control["size"]) == ("none", 0.0)
    assert max(control["barrier"], control["barrier_aligned"]) < 1e-6
    assert control["returned"] == control["agreement"] == 1
    assert control["loss_after"] == control["loss_before"]
    assert (table["kind"] == "none").sum() == 1
    assert set(table["n"]) == {128} == set(table["n_test"])


def test_what_is_slow_to_come_back_has_not_returned() -> None:
    """No barrier stands between a network on the slope and the one below it."""

    it = wells()
    table = measure(Locking(0.5, 0.5, 1, 8, steps=1, rate=1e-3), it)
    moved = table[table["kind"] == "random"]

    assert (moved["barrier"] < 0.3).all()
    assert (moved["returned"] == 0).all()


@pytest.mark.parametrize("name", [*MODELS, "user", "batchnorm", "attention"])
def test_any_network_is_measured_and_left_as_it_was(name: str) -> None:
    torch.manual_seed(0)
    if name in MODELS:
        model, x = MODELS[name].build(forms()), MODELS[name].batch(6)
        y = torch.randn(6, *MODELS[name].answer)
    elif name == "attention":
        model, x, y = Attention(), torch.randn(6, 3, 4), torch.randn(6, 3, 2)
    else:
        norm = nn.BatchNorm2d(4) if name == "batchnorm" else nn.Identity()
        conv, back = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 3)
        model = nn.Sequential(conv, norm, nn.ReLU(inplace=True), back, nn.Flatten())
        x, y = torch.randn(6, 3, 6, 6), torch.randn(6, 8)
    model.eval().requires_grad_(name != "user")
    it = Subject(model, x, y, Regression(), torch.Generator().manual_seed(0))
    before = copy.deepcopy(model.state_dict())
    table = measure(Locking(sizes=2, draws=1), it)

    assert np.isfinite(table[["loss_after", "loss_before"]]).all(axis=None)
    assert np.isfinite(table["curvature"][table["kind"] != "none"]).all()
    assert table[AFTER].isna().all(axis=None)
    assert ("orbit" in set(table["kind"])) == (not name.startswith(("rnn", "attention")))
    assert all(torch.equal(before[k], v) for k, v in model.state_dict().items())
    assert all(p.grad is None for p in model.parameters())
    assert all(p.requires_grad == (name != "user") for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks or m.training for m in model.modules())


def test_the_same_subject_gives_the_same_bits() -> None:
    tables = [measure(Locking(sizes=2, draws=2, steps=3), learnt(Tanh)) for _ in range(2)]

    pd.testing.assert_frame_equal(*tables)


def test_samples_are_bounded() -> None:
    it = subject(samples=90)
    it = replace(it, train=(torch.randn(70, 10), torch.randint(4, (70,))))
    table = measure(Locking(sizes=1, draws=1, samples=80), it)

    assert set(table["n"]) == {70}
    assert set(table["n_test"]) == {80}
    y, objective = it.task
    drawn = Landscape(it.model, it.x, y, objective).drawn(20, it.generator)
    assert len(drawn.x) == len(drawn.y) == 20
    rows = [int((it.x == row).all(dim=1).nonzero()) for row in drawn.x]
    assert rows == sorted(set(rows))
    assert torch.equal(y[rows], drawn.y)


def test_losses_are_those_of_the_subject() -> None:
    it = subject()
    y, objective = it.task
    sample, state = Landscape(it.model, it.x, y, objective), state_of(it.model)

    assert sample.loss(state) == pytest.approx(loss(it, it.model), rel=1e-6)
    assert sample.guess() == pytest.approx(math.log(4), rel=1e-6)
    outputs = sample.outputs(state)
    assert sample.accuracy(outputs) == pytest.approx(
        (outputs.argmax(1) == y).double().mean().item()
    )
    other = outputs.clone()
    other[:50] = -other[:50]
    other[-10:] = torch.nan  # the argmax of NaN is a class too
    same = (other.argmax(1) == outputs.argmax(1))[:-10].sum().item() / 200
    assert same < 1
    assert sample.agreement(outputs, other) == pytest.approx(same)


def test_diverged_networks_have_not_returned() -> None:
    it = learnt(IsoTanh)

    def refit(networks: Sequence[nn.Module], steps: int, rate: float) -> list[nn.Module]:
        for network in networks[1:]:
            for p in network.parameters():
                p.requires_grad_(False).fill_(torch.nan)
        return list(networks)

    table = measure(Locking(sizes=1, draws=1), replace(it, refit=refit))
    assert (table["returned"] == (table["kind"] == "none")).all()
    assert table["loss_retrained"].isna().sum() == len(table) - 1
    assert (table["agreement"][1:] == 0).all()


def test_targets_are_needed() -> None:
    with pytest.raises(Unsuitable, match="targets must be given"):
        Locking()(replace(subject(), y=None))


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"size_min": 0.0}, "0 < size_min"),
        ({"size_min": 4.0}, "0 < size_min"),
        ({"sizes": 0}, "sizes must be at least 1"),
        ({"draws": 0}, "draws must be at least 1"),
        ({"steps": 0}, "steps must be at least 1"),
        ({"samples": 0}, "samples must be at least 1"),
        ({"points": 2}, "points must be at least 3"),
        ({"rate": 0.0}, "must be positive"),
        ({"tolerance": -1.0}, "must be positive"),
    ],
)
def test_settings_that_cannot_be(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValueError, match=said):
        Locking(**settings)


@pytest.mark.parametrize("refitted", [True, False])
def test_the_figure_shows_the_table(refitted: bool) -> None:
    it = learnt(IsoTanh) if refitted else replace(learnt(IsoTanh), refit=None)
    table = measure(Locking(sizes=3, draws=2, steps=2), it)
    figure = Figure()
    drawing.draw(table, figure)

    columns = ["loss_after", "loss_retrained", "returned"][: 3 if refitted else 1]
    assert len(figure.axes) == len(columns)
    for axes, column in zip(figure.axes, columns, strict=True):
        shown = {str(line.get_label()): np.asarray(line.get_ydata()) for line in axes.lines}
        for kind, (label, _) in drawing.KINDS.items():
            part = table[table["kind"] == kind]
            means = [each[column].mean() for _, each in part.groupby("size")]
            np.testing.assert_array_equal(shown[label], means)
        if column != "returned":
            assert set(shown["unperturbed"]) == {table[column].iloc[0]}
            assert set(shown["a guess"]) == {table["loss_guess"].iloc[0]}
    assert "128 samples" in figure.get_suptitle()
