"""Tests for isoexp.inits."""

from collections.abc import Callable

import pytest
import torch
from scipy.stats import kstest
from torch import Tensor, nn

from isoexp.geometry import random_orthogonal
from isoexp.inits import Default, Gaussian, Orthogonal

DRAWS = 2000


def draws(init: Callable[[nn.Module], None], inputs: int, outputs: int) -> Tensor:
    """Returns many first weights of one layer."""

    found = []
    for _ in range(DRAWS):
        layer = nn.Linear(inputs, outputs)
        init(layer)
        found.append(layer.weight.detach())

    return torch.stack(found)


def kurtosis(values: Tensor) -> float:
    return (values**4).mean().item() / (values**2).mean().item() ** 2


@pytest.mark.parametrize("init", [Gaussian(), Orthogonal()], ids=repr)
def test_no_basis_is_special(init: Callable[[nn.Module], None]) -> None:
    """W and R W Q have one law: a coordinate of one and of the other are told apart by no test."""

    R, Q = random_orthogonal(3).float(), random_orthogonal(4).float()
    W, turned = draws(init, 4, 3), R @ draws(init, 4, 3) @ Q

    assert kstest(W[:, 0, 0].numpy(), turned[:, 0, 0].numpy()).pvalue > 1e-3
    assert kurtosis(W[:, 0, 0]) == pytest.approx(kurtosis(turned[:, 0, 0]), rel=0.2)


def test_the_default_has_a_basis() -> None:
    """The control: uniform coordinates are of kurtosis 1.8, their mixtures are not."""

    R, Q = random_orthogonal(3).float(), random_orthogonal(4).float()
    W = draws(Default(), 4, 3)

    assert kurtosis(W) == pytest.approx(1.8, abs=0.03)
    assert kurtosis(R @ W @ Q) > 2.2


def test_gaussian_moments() -> None:
    W = draws(Gaussian(gain=2.0), 4, 3)

    # 24,000 samples: five standard errors of the mean, the variance, and the kurtosis.
    assert W.mean().item() == pytest.approx(0, abs=5 / 24_000**0.5)
    assert W.var().item() == pytest.approx(4 / 4, abs=5 * (2 / 24_000) ** 0.5)
    assert kurtosis(W) == pytest.approx(3, abs=5 * (24 / 24_000) ** 0.5)


@pytest.mark.parametrize(("inputs", "outputs"), [(4, 3), (3, 4), (5, 5), (1, 1)])
def test_orthogonal_singular_values(inputs: int, outputs: int) -> None:
    layer = nn.Linear(inputs, outputs)
    Orthogonal(gain=1.5)(layer)

    values = torch.linalg.svdvals(layer.weight)
    torch.testing.assert_close(values, torch.full_like(values, 1.5))


def test_orthogonal_is_haar() -> None:
    """E W_ij² = 1/n, and E tr W = 0, which QR without its signs misses."""

    W = draws(Orthogonal(), 4, 4)
    trace = W.diagonal(dim1=1, dim2=2).sum(dim=1)

    # (tr W)² is of mean 1 under Haar, so five standard errors of the mean are 5/√2000.
    assert abs(trace.mean().item()) < 5 / DRAWS**0.5
    torch.testing.assert_close((W**2).mean(dim=0), torch.full((4, 4), 0.25), rtol=0, atol=0.025)


@pytest.mark.parametrize("init", [Gaussian(), Orthogonal()], ids=repr)
def test_biases_are_zero(init: Callable[[nn.Module], None]) -> None:
    layer = nn.Linear(4, 3)
    init(layer)
    assert not layer.bias.any()

    init(nn.Linear(4, 3, bias=False))  # and none is no error


def test_default_leaves_the_layer_as_it_is() -> None:
    layer = nn.Linear(4, 3)
    before = [p.detach().clone() for p in layer.parameters()]
    Default()(layer)

    assert all(torch.equal(a, b) for a, b in zip(layer.parameters(), before, strict=True))
    assert layer.bias.any()


@pytest.mark.parametrize("init", [Gaussian(), Orthogonal()], ids=repr)
def test_draws_from_the_global_generator(init: Callable[[nn.Module], None]) -> None:
    layers = [nn.Linear(4, 3) for _ in range(2)]
    for layer in layers:
        torch.manual_seed(5)
        init(layer)

    assert torch.equal(layers[0].weight, layers[1].weight)


@pytest.mark.parametrize("cls", [Gaussian, Orthogonal])
@pytest.mark.parametrize("gain", [0.0, -1.0, float("nan")])
def test_refuses_no_gain(cls: type[Gaussian] | type[Orthogonal], gain: float) -> None:
    with pytest.raises(ValueError, match="gain must be positive"):
        cls(gain)
