"""Tests for isoexp.models.flaws: what is degenerate by construction is named, nothing else is."""

import pytest
import torch

from isoexp.activations import (
    ELU,
    IsoHardThreshold,
    IsoLeakyReLU,
    IsoReLU,
    IsoTanh,
    QuasiIsotropic,
    ReLU,
    Tanh,
)
from isoexp.config.compose import compose
from isoexp.config.groups import choices
from isoexp.experiment.job import prepare
from isoexp.models.flaws import flaws

from ..commands import Command
from ..experiment.runs import TINY


class Net(torch.nn.Sequential):
    def __init__(self, f: torch.nn.Module, norm: torch.nn.Module | None = None) -> None:
        super().__init__(torch.nn.Linear(10, 8), norm or torch.nn.Identity(), f)


class Sphere(torch.nn.Module):
    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / x.norm(dim=-1, keepdim=True)


def found(net: torch.nn.Module) -> list[str]:
    torch.manual_seed(0)
    f = list(net.modules())[-1]

    return [flaw for _, _, flaw in flaws(net, torch.randn(64, 10), type(f))]


@pytest.mark.parametrize("f", [IsoReLU(8), IsoHardThreshold(8), IsoLeakyReLU(8)], ids=repr)
def test_vectors_held_on_a_kink_are_found(f: torch.nn.Module) -> None:
    (flaw,) = found(Net(f, Sphere()))

    assert "100% of its vectors lie at a kink" in flaw
    assert not found(Net(f)), "lengths that spread are at no kink"


@pytest.mark.parametrize("f", [IsoTanh(8), Tanh(8), ReLU(8), ELU(8), QuasiIsotropic(8)], ids=repr)
def test_smooth_and_elementwise_functions_are_not_flawed(f: torch.nn.Module) -> None:
    assert not found(Net(f, Sphere()))
    assert not found(Net(f))


def test_layers_that_are_dead_or_constant_are_found() -> None:
    assert "it gives 0 for 100% of its vectors" in found(Net(IsoReLU(8, R0=50.0)))

    class Same(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.ones_like(x)

    assert found(Net(Same())) == ["it gives the same for all vectors"]


def test_the_network_and_the_generators_stay_as_they_were() -> None:
    net = Net(IsoReLU(8), torch.nn.BatchNorm1d(8))
    before = {key: value.clone() for key, value in net.state_dict().items()}
    found(net)

    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert net.training
    assert not net[2]._forward_hooks


@pytest.mark.usefixtures("folder", "undrawn")
@pytest.mark.parametrize("words", [("norm=l2",), ("norm=rms", "activation.scale=sqrt_width")])
def test_the_warning_names_the_repair(words: tuple[str, ...], isoexp: Command) -> None:
    line = ("train", *TINY, "steps=1", "probe=none", "activation=iso_relu", *words)

    for more in ((), ("-m", "--dry-run", "name=other")):
        outcome = isoexp(*line, *more)
        assert outcome.code == 0
        assert "warning: hidden.0.activation (IsoReLU): 100% of its vectors" in outcome.err
        assert "set activation.R0 to another radius, such as 0.5" in outcome.err
    assert "warning" not in isoexp(*line, "activation.R0=0.5").err


@pytest.mark.usefixtures("folder")
def test_the_usual_compositions_have_no_flaw() -> None:
    names = sorted(choices()["activation"])
    flawed = {
        name: prepare(compose([*TINY, f"activation={name}"])).lab().flaws for name in names[::4]
    }

    assert not any(flawed.values()), flawed
