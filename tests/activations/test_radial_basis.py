"""Tests for isoexp.activations.radial_basis: Eqn 14."""

import math

import pytest
import torch

from isoexp.activations import RadialBasis
from isoexp.geometry import random_orthogonal

from ..properties import commutator, permutation

pytestmark = pytest.mark.usefixtures("float64")

EPS = torch.finfo(torch.float64).eps


@pytest.mark.parametrize(("n", "N"), [(1, 1), (3, 7), (8, 2)])
def test_is_its_formula(n: int, N: int) -> None:
    """f(x)_i = exp(−‖x − c_i‖² / 2n), centre by centre."""

    f = RadialBasis(n, centres=N)
    x = torch.randn(5, n)

    t = torch.tensor([[((v - c) ** 2).sum() / (2 * n) for c in f.centres.detach()] for v in x])
    expected = torch.tensor([[math.exp(-v) for v in row] for row in t.tolist()])
    # exp(−t) turns a relative error of t, of n squares and 8 roundings more, into t times as much.
    assert ((f(x) - expected).abs() <= (2 + (n + 8) * t) * EPS * expected).all()


def test_commutes_with_nothing() -> None:
    f, x = RadialBasis(16), torch.randn(64, 16)

    assert commutator(f, x, random_orthogonal(16)) > 1e-2
    assert commutator(f, x, permutation(16)) > 1e-2


def test_turning_the_centres_too_changes_nothing() -> None:
    """f_{Rc}(R x) = f_c(x): distances are all that it sees."""

    f, x, R = RadialBasis(6), torch.randn(64, 6), random_orthogonal(6)
    before = f(x)
    f.centres.data = f.centres @ R.T

    torch.testing.assert_close(f(x @ R.T), before, rtol=100 * EPS, atol=0)


def test_peaks_on_a_centre() -> None:
    f = RadialBasis(4, centres=3)
    x = f.centres.detach().clone().requires_grad_()
    y = f(x)
    y.sum().backward()

    torch.testing.assert_close(y.diagonal(), torch.ones(3), rtol=0, atol=4 * EPS)
    assert x.grad is not None
    assert x.grad.isfinite().all()


def test_centres_learn() -> None:
    f = RadialBasis(4, centres=3)
    f(torch.randn(10, 4)).sum().backward()

    assert f.centres.grad is not None
    assert (f.centres.grad.norm(dim=-1) > 0).all()


def test_the_default_scale_keeps_wide_layers_awake() -> None:
    """‖x − c‖² is about 2n for x, c ~ N(0, I_n): features of e^−1 in units of √n, of e^−n in 1."""

    x = torch.randn(64, 256)

    assert RadialBasis(256)(x).mean().item() == pytest.approx(math.exp(-1), rel=0.1)
    assert RadialBasis(256, scale="unit")(x).max() < 1e-50


def test_takes_any_profile() -> None:
    f = RadialBasis(2, centres=1, profile=lambda r: r, scale="unit")
    f.centres.data = torch.tensor([[3.0, 0.0]])

    assert f(torch.tensor([0.0, 4.0])).tolist() == [5.0]


@pytest.mark.parametrize("centres", [0, -1])
def test_refuses_no_centres(centres: int) -> None:
    with pytest.raises(ValueError, match=f"centres must be at least 1, got {centres}"):
        RadialBasis(4, centres=centres)
