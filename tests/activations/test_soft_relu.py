"""Tests for the soft ReLUs: Eqn 21, given by the slope of the profile."""

from collections.abc import Callable

import mpmath as mp
import pytest
import torch
from scipy.integrate import quad
from torch import Tensor

from isoexp.activations import (
    IsoSmoothLeakyReLU,
    IsoSmoothReLU,
    IsoSoftLeakyReLU,
    IsoSoftReLU,
    SoftReLU,
)

from .. import references

pytestmark = pytest.mark.usefixtures("float64")

EPS = torch.finfo(torch.float64).eps
R0, DELTA = 1.3, 0.4
START, END = R0 - DELTA, R0 + DELTA

BLENDS = {
    IsoSoftReLU: references.linear_blend,
    IsoSoftLeakyReLU: references.linear_blend,
    IsoSmoothReLU: references.smooth_blend,
    IsoSmoothLeakyReLU: references.smooth_blend,
}

FAMILY = [
    IsoSoftReLU(1, R0, DELTA),
    IsoSoftLeakyReLU(1, 0.3, R0, DELTA),
    IsoSmoothReLU(1, R0, DELTA),
    IsoSmoothLeakyReLU(1, 0.3, R0, DELTA),
]

each = pytest.mark.parametrize("f", FAMILY, ids=lambda f: type(f).__name__)


def derivatives(f: SoftReLU, r: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Returns σ, σ′ and σ″ at radii."""

    r = r[:, None].requires_grad_()
    s = f.profile(r)
    (slope,) = torch.autograd.grad(s.sum(), r, create_graph=True)
    (bend,) = torch.autograd.grad(slope.sum(), r)

    return s.detach()[:, 0], slope.detach()[:, 0], bend[:, 0]


@each
def test_slope_is_as_stated(f: SoftReLU) -> None:
    """σ′ = α + (1 − α) φ(t) / (φ(t) + φ(1 − t)), before, in and beyond the window."""

    r = torch.linspace(0.01, 3, 300)
    _, slope, _ = derivatives(f, r)
    expected = [
        float(references.soft_slope(mp.mpf(v), f.alpha, BLENDS[type(f)], R0, DELTA))
        for v in r.tolist()
    ]

    # Gauss–Legendre carries the C^∞ blend to 1e-14, each derivative some digits less.
    torch.testing.assert_close(slope, torch.tensor(expected), rtol=0, atol=1e-12)


@each
def test_profile_is_the_integral_of_the_slope(f: SoftReLU) -> None:
    def slope(r: float) -> float:
        return float(references.soft_slope(mp.mpf(r), f.alpha, BLENDS[type(f)], R0, DELTA))

    for r in (0.3, 0.95, 1.1, 1.3, 1.6, 1.69, 2.5):
        expected, _ = quad(slope, 0, r, points=[START, R0, END], epsabs=1e-13, limit=200)
        sigma = f.profile(torch.tensor([[r]])).item()
        assert abs(sigma - expected) < 1e-12, f"σ({r}) = {sigma}, not {expected}"


@each
def test_beyond_the_window_it_is_the_hard_one_exactly(f: SoftReLU) -> None:
    r = torch.cat([torch.tensor([END]), END + torch.logspace(-9, 9, 50)])[:, None]

    assert torch.equal(f.profile(r), r - (1 - f.alpha) * R0)


@each
def test_before_the_window_it_is_linear_exactly(f: SoftReLU) -> None:
    r = START * torch.linspace(1e-3, 1, 50)[:, None]

    assert torch.equal(f.profile(r), f.alpha * r)


@each
@pytest.mark.parametrize("edge", [START, END])
def test_neither_the_profile_nor_its_slope_jumps(f: SoftReLU, edge: float) -> None:
    """Eqn 21 as printed starts its window at slope 0 and so jumps by α; this one does not."""

    h = 1e-7
    s, slope, _ = derivatives(f, torch.tensor([edge - h, edge + h]))

    assert s.diff().abs().item() <= 2 * h + 4 * EPS
    # Within the window the slope moves by at most max s′ / 2δ a unit; s′ ≤ 2 for both blends.
    assert slope.diff().abs().item() <= 2 * h * 2 / (2 * DELTA) + 1e-13


@pytest.mark.parametrize("edge", [START, END])
def test_the_smooth_ones_do_not_kink_either(edge: float) -> None:
    """exp(−1/t) flattens every derivative at the edges; t itself leaves σ″ to jump, by
    (1 − α) / 2δ: the control."""

    r = torch.tensor([edge - 1e-3, edge + 1e-3])
    smooth = derivatives(FAMILY[3], r)[2]
    soft = derivatives(FAMILY[1], r)[2]

    torch.testing.assert_close(smooth, torch.zeros(2), rtol=0, atol=1e-8)
    torch.testing.assert_close(soft.diff().abs(), torch.tensor([0.7 / (2 * DELTA)]))


def test_the_plain_ones_are_leaky_ones_of_slope_zero() -> None:
    r = torch.linspace(0.01, 3, 100)[:, None]

    for plain, leaky in ((IsoSoftReLU, IsoSoftLeakyReLU), (IsoSmoothReLU, IsoSmoothLeakyReLU)):
        f, g = plain(1, R0, DELTA), leaky(1, 0.0, R0, DELTA)
        assert torch.equal(f.profile(r), g.profile(r))


def test_float32_is_as_smooth_as_its_rounding() -> None:
    r = torch.linspace(0.01, 3, 300)[:, None]

    for f in FAMILY:
        error = f.profile(r.float()).double() - f.profile(r.float().double())
        assert error.abs().max() < 16 * torch.finfo(torch.float32).eps, f"{f}"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: IsoSoftReLU(4, R0=1.0, delta=1.0), "delta must lie between 0 and R0"),
        (lambda: IsoSoftReLU(4, delta=0.0), "got delta = 0, R0 = 1"),
        (lambda: IsoSmoothReLU(4, R0=0.25), "got delta = 0.5, R0 = 0.25"),
        (lambda: IsoSoftLeakyReLU(4, alpha=1.0), "alpha must be at least 0 and below 1, got 1"),
        (lambda: IsoSmoothLeakyReLU(4, alpha=-0.1), "got -0.1"),
    ],
)
def test_refuses_an_empty_window(make: Callable[[], SoftReLU], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
