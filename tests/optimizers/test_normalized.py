"""Tests for isoexp.optimizers.normalized, against slow references."""

import numpy as np
import pytest
import torch
from torch import nn

from isoexp.optimizers import NormalizedSGD, SignSGD


@pytest.mark.parametrize("momentum", [0.0, 0.9])
@pytest.mark.parametrize("cls", [SignSGD, NormalizedSGD])
def test_is_its_equation(cls: type[SignSGD] | type[NormalizedSGD], momentum: float) -> None:
    rng = np.random.default_rng(0)
    w, m = rng.normal(size=(4, 3)), np.zeros((4, 3))
    p = nn.Parameter(torch.tensor(w))
    optimizer = cls([p], lr=0.1, momentum=momentum, weight_decay=0.5)

    for _ in range(5):
        g = rng.normal(size=(4, 3))
        m = momentum * m + (1 - momentum) * g
        d = np.sign(m) if cls is SignSGD else m / np.sqrt((m**2).sum())
        w = w - 0.1 * 0.5 * w - 0.1 * d

        p.grad = torch.tensor(g)
        optimizer.step()
        np.testing.assert_allclose(p.detach().numpy(), w, rtol=1e-13)


def test_moves_every_tensor_by_the_rate() -> None:
    """One norm a tensor: a large gradient of the one does not slow the other."""

    weight, bias = nn.Parameter(torch.zeros(4, 3)), nn.Parameter(torch.zeros(4))
    weight.grad, bias.grad = 1e6 * torch.randn(4, 3), 1e-6 * torch.randn(4)
    NormalizedSGD([weight, bias], lr=0.1).step()

    assert weight.norm().item() == pytest.approx(0.1)
    assert bias.norm().item() == pytest.approx(0.1)


def test_moves_every_coordinate_by_the_rate() -> None:
    p = nn.Parameter(torch.zeros(3))
    p.grad = torch.tensor([1e-30, 0.0, -1e30])
    SignSGD([p], lr=0.5).step()

    assert p.tolist() == [-0.5, 0, 0.5]
