"""Tests for isoexp.symmetry.training: optimizers by trajectories, regularizers by their values."""

from collections.abc import Callable
from functools import partial
from itertools import pairwise
from typing import Any

import pytest
import torch
from pytorch_optimizer import SOAP
from torch import Tensor, nn
from torch.optim import SGD, Adagrad, Adam, Optimizer

from isoexp.activations import IsoTanh
from isoexp.data import Teacher
from isoexp.geometry import random_orthogonal
from isoexp.inits import Default
from isoexp.models import MLP
from isoexp.models.blocks import Forms
from isoexp.regularizers import L1, L2, ActivationNorm, NoRegularizer
from isoexp.symmetry import largest, measure_optimizer, measure_regularizer

Optimizing = Callable[[Any], Optimizer]


def sides(measured) -> dict[str, str]:
    return {on: largest(m for m in measured if m.on == on) for on in ("outputs", "inputs")}


KNOWN: dict[str, tuple[Optimizing, str]] = {
    "sgd": (partial(SGD, lr=0.1), "O(n)"),
    "momentum": (partial(SGD, lr=0.1, momentum=0.9), "O(n)"),
    "decay": (partial(SGD, lr=0.1, weight_decay=0.1), "O(n)"),
    "adam": (partial(Adam, lr=0.01), "signed permutations"),
    "adagrad": (partial(Adagrad, lr=0.1), "signed permutations"),
}


@pytest.mark.parametrize(("build", "expected"), KNOWN.values(), ids=KNOWN.keys())
def test_known_optimizers(build: Optimizing, expected: str) -> None:
    assert sides(measure_optimizer(build)) == {"outputs": expected, "inputs": expected}


def test_permutations_of_one_side_only() -> None:
    """The control: an update that singles out the first row."""

    class FirstRow(SGD):
        def step(self, closure=None):  # pyright: ignore[reportIncompatibleMethodOverride]
            for p in self.param_groups[0]["params"]:
                p.grad[1:] *= 0.5
            return super().step(closure)

    assert sides(measure_optimizer(partial(FirstRow, lr=0.1))) == {
        "outputs": "trivial",
        "inputs": "O(n)",
    }


def test_soap_depends_on_bases_that_rounding_picks() -> None:
    """THEORY lists SOAP among what commutes. It does where no gradient leaves a null space; a bias,
    or a matrix that is not square, leaves one, and there the eigenbasis is that of rounding."""

    build = partial(SOAP, lr=1e-2, weight_decay=0.0, precondition_1d=True)
    assert sides(measure_optimizer(build)) == {"outputs": "trivial", "inputs": "trivial"}

    A = torch.randn(64, 5, dtype=torch.float64)
    B = torch.randn(64, 5, dtype=torch.float64)
    start = torch.randn(5, 5, dtype=torch.float64)
    R, Q = random_orthogonal(5), random_orthogonal(5)

    def trained(left: Tensor, right: Tensor) -> Tensor:
        W = nn.Parameter(left @ start @ right)
        optimizer = build([W])
        for _ in range(30):
            optimizer.zero_grad()
            (A @ left.mT @ W @ right.mT - B).tanh().square().mean().backward()
            optimizer.step()
        return W.detach()

    identity = torch.eye(5, dtype=torch.float64)
    end, turned = trained(identity, identity), trained(R, Q)
    # Eigenvalues that lie close multiply rounding; above, copies part by per cents of their way.
    assert ((R.mT @ turned @ Q.mT - end).norm() / (end - start).norm()).item() < 1e-4
    assert min(m.error for m in measure_optimizer(build) if m.group == "O(n)") > 1e-2


def test_regularizers() -> None:
    everything = "O(n), positive diagonal"

    assert sides(measure_regularizer(L2())) == {"outputs": "O(n)", "inputs": "O(n)"}
    assert set(sides(measure_regularizer(L1())).values()) == {"signed permutations"}
    assert set(sides(measure_regularizer(NoRegularizer())).values()) == {everything}
    found = measure_regularizer(ActivationNorm())
    assert {m.on for m in found} == {"features"}
    assert largest(found) == "O(n)"


# --- whole networks -------------------------------------------------------------------------


def difference(build: Optimizing, rotate: bool = True) -> float:
    """Returns how far the functions of two networks are apart, relative to what they give, trained
    for 300 updates from θ and from Rθ, the same function in other bases of the hidden layers."""

    torch.set_default_dtype(torch.float64)
    splits = Teacher(train=200, valid=50, test=100).load()
    x, y = (torch.from_numpy(t).double() for t in splits.train)
    torch.manual_seed(3)
    first = MLP((16,), 4, Forms(IsoTanh, nn.Identity, Default()), [12, 10])
    second = MLP((16,), 4, Forms(IsoTanh, nn.Identity, Default()), [12, 10])
    second.load_state_dict(first.state_dict())

    if rotate:
        layers = [second.hidden[0].linear, second.hidden[1].linear, second.readout]
        with torch.no_grad():
            for inner, outer in pairwise(layers):
                R = random_orthogonal(len(inner.weight))
                inner.weight.copy_(R @ inner.weight)
                inner.bias.copy_(R @ inner.bias)
                outer.weight.copy_(outer.weight @ R.mT)

    test = torch.from_numpy(splits.test.x).double()
    for network in (first, second):
        optimizer = build(network.parameters())
        for step in range(300):
            rows = slice(20 * (step % 10), 20 * (step % 10) + 20)
            optimizer.zero_grad()
            nn.functional.mse_loss(network(x[rows]), y[rows]).backward()
            optimizer.step()

    with torch.no_grad():
        a, b = first(test), second(test)

    return ((a - b).norm() / a.norm()).item()


@pytest.mark.usefixtures("float64")
def test_an_isotropic_network_has_no_basis_under_sgd() -> None:
    assert difference(partial(SGD, lr=0.1, momentum=0.9)) < 1e-10


@pytest.mark.slow
@pytest.mark.usefixtures("float64")
def test_adam_gives_it_one() -> None:
    """The control: the same network, data, and order; the optimizer knows the axes."""

    assert difference(partial(Adam, lr=1e-2)) > 1e-2
    assert difference(partial(Adam, lr=1e-2), rotate=False) == 0
