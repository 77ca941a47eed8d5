"""Tests for isoexp.probe, the probes from Python."""

import subprocess
import sys
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

import isoexp
from isoexp.errors import UserError
from isoexp.probes import Alignment, OODMagnitude, Refraction, Subject, Unsuitable
from isoexp.training import Classification

from .subjects import subject

probe: Any = isoexp.probe  # Any: the types of a table are those of its columns


def network() -> nn.Sequential:
    return nn.Sequential(nn.Linear(5, 8), nn.ReLU(inplace=True), nn.BatchNorm1d(8), nn.Linear(8, 3))


def test_it_is_the_probe_put_to_the_network() -> None:
    net, x, y = network().eval(), torch.randn(20, 5), torch.randint(3, (20,))
    it = subject(model=net)
    it = Subject(net, x, y, it.objective, isoexp.probes.measurement.stream(3, "probe"))

    table = probe(net, x, OODMagnitude(points=3), y, seed=3)
    pd.testing.assert_frame_equal(table, pd.DataFrame(OODMagnitude(points=3)(it)))
    assert list(table.columns) == list(OODMagnitude.schema)


def test_the_network_is_left_as_it_was() -> None:
    """Each module in its own mode, whatever happens."""

    net = network().train()
    net[0].eval()
    before = {name: t.clone() for name, t in net.state_dict().items()}

    probe(net, torch.randn(20, 5))
    with pytest.raises(Unsuitable, match="targets"):
        probe(net, torch.randn(20, 5), OODMagnitude())

    assert [m.training for m in net] == [False, True, True, True]
    assert all(torch.equal(before[name], t) for name, t in net.state_dict().items())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in net.modules())


def test_the_same_seed_draws_the_same() -> None:
    net, x = network(), torch.randn(20, 5)
    a, b, c = (probe(net, x, seed=seed) for seed in (0, 0, 1))

    pd.testing.assert_frame_equal(a, b)
    assert not a.equals(c)


def test_arrays_and_other_precisions_are_taken() -> None:
    net, x = network().double(), np.random.default_rng(0).normal(size=(20, 5)).astype(np.float32)

    assert probe(net, x, Alignment(bins=3))["n"].eq(20).all()
    assert probe(net, x.tolist(), Refraction(points=2))["layer"].eq("1").all()


def test_a_vector_target_is_a_regression() -> None:
    net, x = network(), torch.randn(20, 5)
    table = probe(net, x, OODMagnitude(points=2), torch.randn(20, 3))

    assert table["accuracy"].isna().all()
    assert table["loss"].notna().any()


def test_modules_may_be_named() -> None:
    net, x = network(), torch.randn(20, 5)

    assert set(probe(net, x, Alignment(bins=2), modules=["3"])["layer"]) == {"3"}
    assert set(probe(net, x, Alignment(bins=2), modules={"logits": net[3]})["layer"]) == {"logits"}


def test_modules_are_those_of_each_twin() -> None:
    x, own = torch.randn(40, 5), {"1": (net := network())[1]}
    table = probe(net, x, isoexp.probes.Agreement(), modules=own, twin=network())

    assert set(table["layer"]) == {"1"}


def test_small_whole_numbers_are_classes() -> None:
    x, y = torch.randn(20, 5), torch.randint(3, (20,), dtype=torch.uint8)
    table = probe(network(), x, OODMagnitude(points=2), y, train=(x, y))

    assert table["accuracy"].notna().any()


def test_torchvisions_networks_work_as_they_are() -> None:
    import torchvision

    net = torchvision.models.resnet18(num_classes=3)
    table = probe(net, torch.randn(2, 3, 32, 32), Refraction(points=1, rays=2))

    assert len(set(table["layer"])) == 9


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ({"targets": torch.zeros(3)}, "as many as inputs, got 3 and 20"),
        ({"targets": torch.full((20,), 7)}, "classes from 0 to 2, .* 3 outputs, got 7"),
        ({"targets": torch.full((20,), -1)}, "classes from 0 to 2, .* got -1"),
        ({"targets": torch.zeros(20, 1).long()}, r"shape \(samples,\), got \(samples, 1\)"),
        ({"targets": torch.zeros(20)}, r"shape \(samples, 3\), got \(samples,\)"),
        (
            {"targets": torch.zeros(20), "objective": Classification()},
            r"targets of shape \(samples,\) are not for the objective",
        ),
        ({"modules": ["4"]}, "no module 4"),
        ({"factors": {"angle": [1.0, 2.0]}}, "factor angle must be one number a sample"),
        ({"model": network().half()}, "float32 or float64, got torch.float16"),
        ({"model": nn.Sequential(nn.Linear(5, 1), nn.Flatten(0))}, r"got shape \(2,\)"),
        ({"probe": Alignment}, r"such as isoexp.probes.Alignment\(\)"),
        ({"inputs": torch.randn(20, 6)}, r"inputs of shape \(20, 6\) are not for the network"),
        ({"modules": "1"}, "must be a list of names"),
        ({"train": (torch.zeros(0, 5), torch.zeros(0))}, "along a first axis"),
        ({"train": (torch.randn(9, 5), torch.zeros(3))}, "as many as inputs, got 3 and 9"),
        ({"train": (torch.randn(9, 6), torch.zeros(9))}, r"shape \(9, 6\) are not for the network"),
        (
            {"train": (torch.randn(9, 5), [3] * 9), "targets": [2] * 20},
            "classes from 0 to 2, .* got 3",
        ),
        ({"twin": nn.Linear(6, 3)}, r"inputs of shape \(20, 5\) are not for the twin"),
        ({"twin": (nn.Linear(5, 3), torch.randn(9, 6))}, r"\(9, 6\) are not for the twin"),
    ],
)
def test_arguments_that_cannot_be(arguments: dict, says: str) -> None:
    with pytest.raises(UserError, match=says):
        probe(**{"model": network(), "inputs": torch.randn(20, 5), **arguments})


def test_reading_imports_no_torch() -> None:
    code = (
        "import sys, isoexp; assert 'torch' not in sys.modules\n"
        "isoexp.figures.save; assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
    assert isoexp.probe is isoexp.probes.probe
    with pytest.raises(AttributeError, match="no attribute 'prob'"):
        _ = isoexp.prob


class Counted(nn.Sequential):
    """A network that counts how often whole samples are sent through it, by whatever copy."""

    passes = 0

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        Counted.passes += len(input) > 2  # two are what layers are looked for with

        return super().forward(input)


def test_several_networks_are_probed_by_one_pass() -> None:
    def build() -> nn.Module:
        return Counted(nn.Linear(5, 8), nn.Tanh(), nn.BatchNorm1d(8), nn.Linear(8, 3)).double()

    nets, x = [build() for _ in range(3)], torch.randn(20, 5).double()
    measure = Alignment(bases=2, planes=20, angles=9)
    apart = pd.concat([probe(net, x, measure) for net in nets], ignore_index=True)
    Counted.passes = 0

    table = probe(nets, x, measure)
    of_all, Counted.passes = Counted.passes, 0
    probe(nets[0], x, measure)
    assert of_all == Counted.passes, "as often as samples are sent through one"

    assert table.pop("network").tolist() == sorted([0, 1, 2] * (len(apart) // 3))
    pd.testing.assert_frame_equal(table, apart, rtol=1e-9, atol=1e-12)


def test_networks_of_different_shapes_are_probed_by_themselves() -> None:
    nets, x = [nn.Sequential(nn.Linear(5, n), nn.Tanh()) for n in (4, 6)], torch.randn(20, 5)
    table = probe(nets, x)

    assert set(table["network"]) == {0, 1}
    pd.testing.assert_frame_equal(
        table[table["network"] == 1].drop(columns="network").reset_index(drop=True),
        probe(nets[1], x),
    )


def test_of_several_each_is_the_twin_of_the_one_before() -> None:
    nets, x = [nn.Sequential(nn.Linear(5, 4), nn.Tanh()) for _ in range(2)], torch.randn(20, 5)
    table = probe(nets, x, isoexp.probes.Agreement())
    alone = probe(nets[0], x, isoexp.probes.Agreement(), twin=nets[1])

    pd.testing.assert_frame_equal(
        table[table["network"] == 0].drop(columns="network"), alone, rtol=1e-4, atol=1e-6
    )
    with pytest.raises(UserError, match="a list of some, got \\[\\]"):
        probe([], x)
