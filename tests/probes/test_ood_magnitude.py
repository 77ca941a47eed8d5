"""Tests for isoexp.probes.ood_magnitude."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from isoexp.activations import Identity, ReLU
from isoexp.probes import OODMagnitude
from isoexp.training import Reconstruction, Regression

from .subjects import measure, subject


def test_scale_one_is_the_network_as_it_is() -> None:
    it = subject(ReLU)
    table = measure(OODMagnitude(), it)
    logits = it.model(it.x)

    for site, rows in table.groupby("site"):
        row = rows.iloc[(rows["scale"] - 1).abs().argmin()]
        assert row["scale"] == pytest.approx(1, rel=1e-6)
        assert row["loss"] == pytest.approx(F.cross_entropy(logits, it.y).item(), rel=1e-5), site
        assert row["accuracy"] == pytest.approx(
            (logits.argmax(1) == it.y).float().mean().item(), rel=1e-6
        )


def test_measures_against_plain_loops() -> None:
    it = subject(ReLU, samples=40)
    table = measure(OODMagnitude(scale_min=3.0, scale_max=3.0, points=1), it)
    row = table[table["site"] == "input"].iloc[0]
    logits = it.model(3 * it.x)

    confidence = [max(p) for p in logits.softmax(dim=1).tolist()]
    margin = [
        z[y] - max(v for j, v in enumerate(z) if j != y)
        for z, y in zip(logits.tolist(), it.y.tolist(), strict=True)
    ]
    assert row["confidence"] == pytest.approx(sum(confidence) / 40, rel=1e-5)
    assert row["margin"] == pytest.approx(sum(margin) / 40, rel=1e-5)


def test_a_linear_network_without_biases_keeps_its_classes_at_every_scale() -> None:
    """The control: argmax of s · W x is that of W x; the loss is not."""

    it = subject(
        model=nn.Sequential(nn.Linear(10, 8, bias=False), Identity(8), nn.Linear(8, 4, bias=False))
    )
    table = measure(OODMagnitude(), it)

    assert table.groupby("site")["accuracy"].nunique().max() == 1
    assert table.groupby("site")["loss"].nunique().min() > 10


def test_scaling_an_activation_scales_what_the_next_layer_is_given() -> None:
    it = subject(ReLU)
    table = measure(OODMagnitude(scale_min=5.0, scale_max=5.0, points=1), it)
    row = table[table["site"] == "hidden.1.activation"].iloc[0]

    hidden = it.model.get_submodule("hidden")(it.x)
    expected = F.cross_entropy(it.model.get_submodule("readout")(5 * hidden), it.y)

    assert row["loss"] == pytest.approx(expected.item(), rel=1e-5)


def test_the_network_is_left_as_it_was() -> None:
    it = subject(ReLU)
    before = it.model(it.x)
    OODMagnitude()(it)

    assert torch.equal(it.model(it.x), before)


def test_without_classes_there_is_a_loss_only() -> None:
    it = subject(ReLU)
    regression = replace(it, y=torch.randn(200, 4), objective=Regression())
    model = nn.Sequential(nn.Linear(10, 10))
    reconstruction = replace(it, model=model, objective=Reconstruction())

    for each in (regression, reconstruction):
        rows = OODMagnitude(points=3)(each)
        assert all(v == v for v in rows["loss"])
        assert all(v != v for v in rows["accuracy"] + rows["confidence"] + rows["margin"])


def test_summary_is_the_last_factor_of_the_input() -> None:
    rows = OODMagnitude(points=4)(subject(ReLU))
    summary = OODMagnitude().summary(rows)

    assert summary == {"accuracy_at_max": rows["accuracy"][3], "loss_at_max": rows["loss"][3]}


@pytest.mark.parametrize("settings", [{"scale_min": 0.0}, {"scale_max": 0.01}, {"points": 0}])
def test_settings_that_cannot_be(settings: dict) -> None:
    with pytest.raises(ValueError, match="must"):
        OODMagnitude(**settings)
