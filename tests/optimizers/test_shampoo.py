"""Tests for isoexp.optimizers.shampoo."""

import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power
from torch import nn

from isoexp.optimizers import Shampoo


@pytest.mark.parametrize("every", [1, 2])
@pytest.mark.parametrize("momentum", [0.0, 0.9])
def test_is_its_equation(momentum: float, every: int) -> None:
    rng = np.random.default_rng(0)
    W, m = rng.normal(size=(4, 3)), np.zeros((4, 3))
    L, R = 1e-2 * np.eye(4), 1e-2 * np.eye(3)
    roots = L, R
    p = nn.Parameter(torch.tensor(W))
    optimizer = Shampoo([p], lr=0.1, momentum=momentum, eps=1e-2, weight_decay=0.5, every=every)

    for step in range(5):
        G = rng.normal(size=(4, 3))
        L, R = L + G @ G.T, R + G.T @ G
        if step % every == 0:
            roots = fractional_matrix_power(L, -0.25), fractional_matrix_power(R, -0.25)
        m = momentum * m + (1 - momentum) * roots[0] @ G @ roots[1]
        W = 0.95 * W - 0.1 * m

        p.grad = torch.tensor(G)
        optimizer.step()
        np.testing.assert_allclose(p.detach().numpy(), W, rtol=1e-10)


def test_a_kernel_is_a_matrix_and_a_bias_a_column() -> None:
    for shape, same in [((4, 3, 2, 2), (4, 12)), ((5,), (5, 1)), ((), (1, 1))]:
        g = torch.randn(shape)
        p, q = nn.Parameter(torch.zeros(shape)), nn.Parameter(torch.zeros(same))
        p.grad, q.grad = g, g.reshape(same)
        for each in (p, q):
            Shampoo([each]).step()

        assert torch.equal(p.reshape(same), q)


def test_the_first_update_is_the_polar_factor() -> None:
    """(GGᵀ)^(−1/4) G (GᵀG)^(−1/4) = U Vᵀ: of a gradient alone it is what Muon approaches."""

    g = torch.randn(4, 6, dtype=torch.float64)
    p = nn.Parameter(torch.zeros_like(g))
    p.grad = g
    Shampoo([p], lr=1.0, momentum=0.0, eps=1e-14).step()
    U, _, V = torch.linalg.svd(g, full_matrices=False)

    torch.testing.assert_close(p.detach(), -U @ V, rtol=1e-10, atol=1e-10)


def test_what_never_moves_harms_nothing_in_float32() -> None:
    """Inputs that are always zero, beside a sum of squares that swallows ε."""

    p = nn.Parameter(torch.ones(8, 6))
    optimizer = Shampoo([p], eps=1e-6)
    for _ in range(50):
        p.grad = 1e3 * torch.randn(8, 6)
        p.grad[:, 3:] = 0
        optimizer.step()

    assert p.isfinite().all()
    torch.testing.assert_close(p[:, 3:], torch.ones(8, 3), rtol=1e-3, atol=0)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"eps": 0.0}, "eps must be positive, got 0"),
        ({"eps": math.nan}, "eps must be positive, got nan"),
        ({"every": 0}, "every must be 1 or more, got 0"),
    ],
)
def test_refuses(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Shampoo([nn.Parameter(torch.ones(3))], **settings)
