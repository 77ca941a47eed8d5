"""Tests for isoexp.optimizers.clipping."""

import math

import pytest
import torch
from torch import Tensor, nn

from isoexp.geometry import random_orthogonal
from isoexp.optimizers import ClipNorm, ClipValue, NoClip


def gradients(networks: int, scale: float = 1.0) -> list[Tensor]:
    """Returns gradients of three parameters, the networks along the first axis."""

    return [scale * torch.randn(networks, *shape) for shape in [(4, 3), (4,), ()]]


def peers(stacked: list[Tensor], k: int) -> list[nn.Parameter]:
    """Returns the parameters of network k alone, for PyTorch's own clipping."""

    found = []
    for g in stacked:
        p = nn.Parameter(torch.zeros_like(g[k]))
        p.grad = g[k].clone()
        found.append(p)

    return found


def assert_same(clipped: list[Tensor], k: int, parameters: list[nn.Parameter]) -> None:
    for g, p in zip(clipped, parameters, strict=True):
        # PyTorch adds 1e-6 to the norm that it divides by.
        torch.testing.assert_close(g[k], p.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_by_norm_is_pytorchs_for_each_network(networks: int, scale: float) -> None:
    found = gradients(networks, scale)
    found[0] *= torch.logspace(-1, 1, networks).view(-1, 1, 1)  # not one norm for all
    single = [peers(found, k) for k in range(networks)]

    ClipNorm(0.7)(found)

    for k, parameters in enumerate(single):
        nn.utils.clip_grad_norm_(parameters, 0.7)
        assert_same(found, k, parameters)


@pytest.mark.parametrize("networks", [1, 3])
def test_by_value_is_pytorchs_for_each_network(networks: int) -> None:
    found = gradients(networks)
    single = [peers(found, k) for k in range(networks)]

    ClipValue(0.3)(found)

    for k, parameters in enumerate(single):
        nn.utils.clip_grad_value_(parameters, 0.3)
        assert_same(found, k, parameters)


def test_none_changes_nothing() -> None:
    found = gradients(2, 1e6)
    before = [g.clone() for g in found]
    NoClip()(found)

    assert all(torch.equal(a, b) for a, b in zip(found, before, strict=True))


def test_what_is_small_passes_bit_by_bit() -> None:
    found = gradients(2, 1e-3)
    before = [g.clone() for g in found]
    ClipNorm(1.0)(found)
    ClipValue(1.0)(found)

    assert all(torch.equal(a, b) for a, b in zip(found, before, strict=True))


def test_a_zero_gradient_stays_zero() -> None:
    found = [torch.zeros(2, 3)]
    ClipNorm(1.0)(found)

    assert found[0].tolist() == [[0.0] * 3] * 2


@pytest.mark.parametrize("poison", [math.nan, math.inf])
def test_a_broken_network_breaks_no_other(poison: float) -> None:
    found, alone = gradients(3), None
    alone = [g.clone() for g in found]
    found[0][1, 2, 2] = poison

    ClipNorm(0.5)(found)
    ClipNorm(0.5)(alone)

    for g, h in zip(found, alone, strict=True):
        assert torch.equal(g[0], h[0])
        assert torch.equal(g[2], h[2])
    assert not found[0][1].isfinite().all()


def test_by_norm_commutes_with_rotations_and_by_value_does_not() -> None:
    R = random_orthogonal(6)
    g = 3 * torch.randn(1, 6, dtype=torch.float64)

    def off(clip) -> float:
        a, b = g @ R.T, g.clone()
        clip([a])
        clip([b])

        return (a - b @ R.T).abs().max().item()

    assert off(ClipNorm(1.0)) < 1e-14
    assert off(ClipValue(1.0)) > 1e-2


@pytest.mark.parametrize("cls", [ClipNorm, ClipValue])
@pytest.mark.parametrize("limit", [0.0, -1.0, math.nan])
def test_refuses_no_limit(cls: type[ClipNorm] | type[ClipValue], limit: float) -> None:
    with pytest.raises(ValueError, match="limit must be positive"):
        cls(limit)
