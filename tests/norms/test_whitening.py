"""Tests for Whitening of isoexp.norms.batch."""

import numpy as np
import pytest
import torch
from scipy.linalg import fractional_matrix_power
from torch import Tensor

from isoexp.geometry import random_orthogonal
from isoexp.norms import Whitening
from isoexp.norms.batch import inverse_root

from ..properties import assert_finite

pytestmark = pytest.mark.usefixtures("float64")

SPECTRA = {
    "apart": [0.5, 1.0, 2.0, 7.0],
    "one": [2.0, 2.0, 2.0, 2.0],
    "pairs": [1.0, 1.0, 3.0, 3.0],
    "nearly": [1.0, 1.0 + 1e-13, 1.0 + 1e-9, 2.0],
    "rank one": [0.0, 0.0, 0.0, 4.0],
    "zero": [0.0, 0.0, 0.0, 0.0],
}

spectra = pytest.mark.parametrize("spectrum", SPECTRA.values(), ids=SPECTRA.keys())


def with_spectrum(spectrum: list[float]) -> Tensor:
    R = random_orthogonal(len(spectrum))

    return R @ torch.diag(torch.tensor(spectrum)) @ R.T


def with_covariance(S: Tensor) -> Tensor:
    """Returns 2n vectors of mean 0 and biased covariance S: ± the columns of a root of n S."""

    spectrum, U = torch.linalg.eigh(S)
    root = U * (spectrum.clamp_min(0) * len(S)).sqrt()

    return torch.cat([root.T, -root.T])


def symmetric(S: Tensor) -> Tensor:
    return (S + S.T) / 2


# --- the root -------------------------------------------------------------------------------


@spectra
def test_root_is_that_of_scipy(spectrum: list[float]) -> None:
    S = with_spectrum(spectrum)
    expected = fractional_matrix_power((S + 0.1 * torch.eye(4)).numpy(), -0.5)

    np.testing.assert_allclose(inverse_root(S, torch.tensor(0.1)), expected, atol=1e-13)


@spectra
def test_root_has_its_derivative(spectrum: list[float]) -> None:
    """Against finite differences, wherever eigenvalues coincide; by the shift too. S = B Bᵀ, for
    the differences must not leave the semidefinite ones."""

    B = (with_spectrum([v**0.5 for v in spectrum]) @ random_orthogonal(4)).requires_grad_()
    shift = torch.tensor(0.5, requires_grad=True)

    assert torch.autograd.gradcheck(lambda B, t: inverse_root(B @ B.T, t), (B, shift))


@pytest.mark.parametrize("name", ["one", "pairs", "nearly"])
def test_the_derivative_through_eigh_does_not(name: str) -> None:
    """The control: written as it stands, the derivative divides by λ_i − λ_j."""

    S = with_spectrum(SPECTRA[name])
    S = torch.diag(S.diagonal()) if name == "one" else S
    S.requires_grad_()
    spectrum, U = torch.linalg.eigh(symmetric(S))
    weights = torch.randn(4, 4)
    found = torch.autograd.grad((U * spectrum.rsqrt() @ U.T * weights).sum(), S)[0]
    right = torch.autograd.grad((inverse_root(symmetric(S), torch.tensor(0.0)) * weights).sum(), S)[
        0
    ]

    assert right.isfinite().all()
    assert not torch.allclose(found, right, rtol=1e-6, atol=1e-6)


def test_root_commutes_with_everything_that_S_does() -> None:
    S = with_spectrum(SPECTRA["apart"])
    root = inverse_root(S, torch.tensor(0.0))

    torch.testing.assert_close(root @ S, S @ root)
    torch.testing.assert_close(root @ S @ root, torch.eye(4))


# --- whitening ------------------------------------------------------------------------------


def test_by_hand() -> None:
    """Against numpy and scipy, through a training and after it."""

    norm = Whitening(4, momentum=0.3, eps=1e-2)
    mean, S = np.zeros(4), np.eye(4)

    def whitened(v: np.ndarray, mean: np.ndarray, S: np.ndarray) -> np.ndarray:
        ridge = 1e-2 * np.trace(S) / 4 * np.eye(4)

        return (v - mean) @ fractional_matrix_power(S + ridge, -0.5)

    for k in range(4):
        v = (torch.randn(7 + k, 4) @ torch.randn(4, 4) + torch.randn(4)).numpy()
        y = whitened(v, v.mean(axis=0), np.cov(v.T, ddof=0))
        np.testing.assert_allclose(norm(torch.from_numpy(v)).numpy(), y, atol=1e-11)

        mean = 0.7 * mean + 0.3 * v.mean(axis=0)
        S = 0.7 * S + 0.3 * np.cov(v.T, ddof=1)
        np.testing.assert_allclose(norm.running_mean.numpy(), mean, rtol=1e-12)
        np.testing.assert_allclose(norm.running_cov.numpy(), S, atol=1e-12)

    v = torch.randn(3, 4).numpy()
    y = norm.eval()(torch.from_numpy(v)).numpy()
    np.testing.assert_allclose(y, whitened(v, mean, S), atol=1e-11)


def test_what_comes_out_is_white() -> None:
    x = torch.randn(50, 6) @ torch.randn(6, 6) + 5
    y = Whitening(6, eps=1e-12)(x)

    torch.testing.assert_close(y.mean(dim=0), torch.zeros(6), rtol=0, atol=1e-11)
    torch.testing.assert_close(y.T @ y / 50, torch.eye(6), rtol=1e-7, atol=1e-7)


def test_other_whitenings_do_not_commute() -> None:
    """The control: by the factor of Cholesky the same data come out as white, in a basis that
    the layer's own coordinates choose."""

    def cholesky(x: Tensor) -> Tensor:
        L = torch.linalg.cholesky(torch.cov(x.T, correction=0))

        return torch.linalg.solve_triangular(L, (x - x.mean(dim=0)).T, upper=False).T

    x, R = torch.randn(50, 6) @ torch.randn(6, 6), random_orthogonal(6)
    off = [(f(x @ R.T) - f(x) @ R.T).norm() / x.norm() for f in (cholesky, Whitening(6))]

    assert off[0] > 1e-2
    assert off[1] < 1e-13


@pytest.mark.parametrize("name", ["apart", "one", "pairs", "rank one"])
def test_gradients(name: str) -> None:
    """Of whole batches, whose covariance has the eigenvalues of the name, to its last bits."""

    x = with_covariance(with_spectrum(SPECTRA[name])).requires_grad_()
    norm = Whitening(4, eps=1e-1)

    assert torch.autograd.gradcheck(norm, (x,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("count", "n"), [(2, 64), (5, 64), (64, 64), (2, 1)])
def test_fewer_vectors_than_features(count: int, n: int, dtype: torch.dtype) -> None:
    """N vectors span N − 1 directions around their mean; in these they come out white, up to
    eps n / (N − 1) of the variance, and in the others they stay at zero."""

    norm, x = Whitening(n, eps=1e-5).to(dtype), torch.randn(count, n, dtype=dtype)
    x = x.requires_grad_()
    y = norm(x)
    (y * torch.randn_like(y)).sum().backward()

    assert x.grad is not None
    assert_finite(f"{count} of R^{n}", value=y, gradient=x.grad)
    if count < n:
        spectrum = torch.linalg.svdvals(y.detach()).square() / count
        expected = torch.ones(count - 1, dtype=dtype)
        torch.testing.assert_close(spectrum[:-1], expected, rtol=1e-2, atol=0)
        assert spectrum[-1] < 1e-6


def test_a_ridge_below_rounding() -> None:
    """Eigenvalues that are 0 come out of float32 below −shift: none has a root unless mended."""

    S = 128 * torch.ones(128, 128, dtype=torch.float32)
    shift = torch.tensor(1e-7, dtype=torch.float32)
    assert (torch.linalg.eigvalsh(S) + shift).min() < 0

    assert_finite("root", root=inverse_root(S, shift))


@pytest.mark.parametrize("magnitude", [0.0, 1e-18, 1e-6, 1e6, 1e15])
@pytest.mark.parametrize("alike", [True, False])
def test_magnitudes_of_float32(magnitude: float, alike: bool) -> None:
    x = magnitude * torch.randn(1 if alike else 8, 4, dtype=torch.float32)
    x = x.expand(8, 4).clone().requires_grad_()
    norm = Whitening(4).float()
    y = norm(x)
    y[0].sum().backward()

    assert x.grad is not None
    assert_finite(f"at {magnitude:g}", value=y, gradient=x.grad)
    assert_finite("evaluation", value=norm.eval()(x))
