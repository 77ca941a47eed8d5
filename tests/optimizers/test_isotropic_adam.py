"""Tests for isoexp.optimizers.isotropic_adam."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.optim import AdamW

from isoexp.optimizers import IsotropicAdam

pytestmark = pytest.mark.usefixtures("float64")

SETTINGS: dict[str, Any] = {"lr": 0.05, "betas": (0.8, 0.95), "eps": 1e-3, "weight_decay": 0.1}


def pair(p: nn.Parameter, q: nn.Parameter, per: Any) -> None:
    """Trains p with ours and q with AdamW, on the same gradients."""

    ours, peer = IsotropicAdam([p], per=per, **SETTINGS), AdamW([q], **SETTINGS)
    for _ in range(6):
        p.grad = torch.randn(p.shape)
        q.grad = p.grad.clone().view(q.shape)
        ours.step()
        peer.step()


@pytest.mark.parametrize(("shape", "per"), [((), "tensor"), ((1,), "vector"), ((5, 1), "vector")])
def test_of_one_coordinate_is_adamw(shape: tuple[int, ...], per: str) -> None:
    """Where a second moment has one coordinate, as in a matrix of one column."""

    start = torch.randn(shape)
    p, q = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    pair(p, q, per)

    torch.testing.assert_close(p, q, rtol=1e-13, atol=0)


@pytest.mark.parametrize("per", ["tensor", "vector"])
@pytest.mark.parametrize("shape", [(), (5,), (4, 3), (3, 2, 2, 2)], ids=str)
def test_is_its_equation(shape: tuple[int, ...], per: Any) -> None:
    rng = np.random.default_rng(0)
    w = rng.normal(size=shape)
    m, v = np.zeros(shape), 0.0
    p = nn.Parameter(torch.tensor(w))
    optimizer = IsotropicAdam([p], per=per, **SETTINGS)
    axes = tuple(range(1, len(shape))) if per == "vector" and len(shape) > 1 else None

    for t in range(1, 6):
        g = rng.normal(size=shape)
        m = 0.8 * m + 0.2 * g
        v = 0.95 * v + 0.05 * (g**2).mean(axis=axes, keepdims=axes is not None)
        d = m / (1 - 0.8**t) / (np.sqrt(v / (1 - 0.95**t)) + 1e-3)
        w = w - 0.05 * 0.1 * w - 0.05 * d

        p.grad = torch.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(p.detach().numpy(), w, rtol=1e-12)


@pytest.mark.parametrize(
    ("shape", "per", "moments"),
    [
        ((4, 3), "tensor", 1),
        ((4, 3), "vector", 4),
        ((4, 3, 2, 2), "vector", 4),
        ((4, 3, 2, 2), "tensor", 1),
        ((4,), "vector", 1),
        ((), "vector", 1),
    ],
)
def test_has_as_many_second_moments(shape: tuple[int, ...], per: Any, moments: int) -> None:
    p = nn.Parameter(torch.ones(shape))
    p.grad = torch.ones(shape)
    optimizer = IsotropicAdam([p], per=per)
    optimizer.step()

    assert optimizer.state[p]["exp_avg_sq"].shape == (moments,)


def test_the_first_update_is_of_size_lr() -> None:
    """g / rms(g), whatever its size: the bias is corrected."""

    p = nn.Parameter(torch.zeros(8, 5))
    p.grad = 1e-3 * torch.randn(8, 5)
    IsotropicAdam([p], lr=0.1, eps=1e-30).step()

    assert p.square().mean().sqrt().item() == pytest.approx(0.1)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"betas": (0.9,)}, r"betas must be two numbers in \[0, 1\), got \[0.9\]"),
        ({"betas": (0.9, 1.0)}, r"betas must be two numbers in \[0, 1\), got \[0.9, 1.0\]"),
        ({"eps": 0.0}, "eps must be positive, got 0"),
        ({"eps": math.nan}, "eps must be positive, got nan"),
    ],
)
def test_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        IsotropicAdam([nn.Parameter(torch.ones(3))], **settings)
