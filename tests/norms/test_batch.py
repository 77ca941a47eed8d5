"""Tests for BatchNorm, IsotropicBatchNorm and ChiNorm of isoexp.norms.batch."""

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from isoexp.norms import BatchNorm, ChiNorm, IsotropicBatchNorm

from ..properties import assert_finite, assert_states_close, assert_states_equal

pytestmark = pytest.mark.usefixtures("float64")


def batches(n: int, count: int = 4) -> list[Tensor]:
    """Batches of several sizes, spreads and means."""

    return [(1 + k) * torch.randn(5 + k, n) + torch.randn(n) for k in range(count)]


# --- batch ----------------------------------------------------------------------------------


@pytest.mark.parametrize("affine", [True, False])
def test_batch_is_that_of_torch(affine: bool) -> None:
    """Which takes the features along axis 1: ours takes them along the last, images too."""

    ours, theirs = BatchNorm(3, 0.2, 1e-3, affine), nn.BatchNorm2d(3, 1e-3, 0.2, affine)
    for _ in range(3):
        x = torch.randn(4, 5, 6, 3)
        torch.testing.assert_close(ours(x), theirs(x.movedim(-1, 1)).movedim(1, -1))
    assert_states_close(ours.state_dict(), theirs.state_dict(), 1e-14)

    x = torch.randn(4, 5, 6, 3)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x.movedim(-1, 1)).movedim(1, -1))


def test_batch_of_a_matrix_is_that_of_torch_bit_by_bit() -> None:
    ours, theirs = BatchNorm(3), nn.BatchNorm1d(3)
    for x in batches(3):
        assert torch.equal(ours(x), theirs(x))

    assert_states_equal(ours.state_dict(), theirs.state_dict())


# --- iso_batch ------------------------------------------------------------------------------


def test_iso_batch_by_hand() -> None:
    """Against numpy, through a training and after it."""

    norm, momentum = IsotropicBatchNorm(4, momentum=0.3, eps=1e-2), 0.3
    mean, variance = np.zeros(4), 1.0
    for x in batches(4):
        v = x.numpy()
        y = (v - v.mean(axis=0)) / np.sqrt(np.trace(np.cov(v.T, ddof=0)) / 4 + 1e-2)
        np.testing.assert_allclose(norm(x).numpy(), y, rtol=1e-12)

        mean = (1 - momentum) * mean + momentum * v.mean(axis=0)
        variance = (1 - momentum) * variance + momentum * np.trace(np.cov(v.T, ddof=1)) / 4
        np.testing.assert_allclose(norm.running_mean.numpy(), mean, rtol=1e-12)
        assert norm.running_var.item() == pytest.approx(variance, rel=1e-12)

    x = torch.randn(3, 4)
    expected = (x.numpy() - mean) / np.sqrt(variance + 1e-2)
    np.testing.assert_allclose(norm.eval()(x).numpy(), expected, rtol=1e-12)


def test_iso_batch_of_one_feature_is_batch_normalisation() -> None:
    ours, theirs = IsotropicBatchNorm(1), nn.BatchNorm1d(1, affine=False)
    for x in batches(1):
        torch.testing.assert_close(ours(x), theirs(x))

    torch.testing.assert_close(ours.running_mean, theirs.running_mean)
    torch.testing.assert_close(ours.running_var, theirs.get_buffer("running_var").squeeze())
    x = torch.randn(3, 1)
    torch.testing.assert_close(ours.eval()(x), theirs.eval()(x))


def test_iso_batch_forgets_shifts_and_scales() -> None:
    """The mean of what comes out is 0, its mean square length n; up to eps = 1e-5 in variance."""

    x = batches(6)[-1]
    norm = IsotropicBatchNorm(6, eps=1e-12)
    y = norm(x)

    torch.testing.assert_close(norm(7 * x + torch.randn(6)), y)
    torch.testing.assert_close(y.mean(dim=0), torch.zeros(6), rtol=0, atol=1e-14)
    assert y.square().sum(dim=1).mean().item() == pytest.approx(6, rel=1e-11)


def test_iso_batch_keeps_the_shape_of_the_data() -> None:
    """One scale for all: angles and ratios between centred vectors stay, as batch loses them."""

    x = torch.randn(64, 4) * torch.tensor([1.0, 2.0, 4.0, 8.0])
    ratios = [f(x).std(dim=0) / f(x).std(dim=0)[0] for f in (IsotropicBatchNorm(4), BatchNorm(4))]

    torch.testing.assert_close(ratios[0], x.std(dim=0) / x.std(dim=0)[0])
    torch.testing.assert_close(ratios[1], torch.ones(4), rtol=1e-4, atol=0)


def test_iso_batch_gradients() -> None:
    assert torch.autograd.gradcheck(IsotropicBatchNorm(3), (torch.randn(4, 3).requires_grad_(),))


@pytest.mark.parametrize("x", [torch.zeros(4, 3), torch.full((4, 3), 2.0)], ids=["zero", "alike"])
@pytest.mark.parametrize("cls", [IsotropicBatchNorm, BatchNorm])
def test_vectors_that_are_alike(cls: type[IsotropicBatchNorm], x: Tensor) -> None:
    x = x.double().requires_grad_()
    y = cls(3)(x)
    y[0].sum().backward()

    assert x.grad is not None
    assert not y.any()
    assert_finite(cls.__name__, gradient=x.grad)


# --- chi ------------------------------------------------------------------------------------


def test_chi_by_hand() -> None:
    norm, m = ChiNorm(4, momentum=0.3), None
    for x in batches(4):
        lengths = np.linalg.norm(x.numpy(), axis=1).mean()
        m = lengths if m is None else 0.7 * m + 0.3 * lengths
        np.testing.assert_allclose(norm(x).numpy(), x.numpy() / m, rtol=1e-13)
        assert norm.running_norm.item() == pytest.approx(m, rel=1e-14)

    x = torch.randn(3, 4)
    np.testing.assert_allclose(norm.eval()(x).numpy(), x.numpy() / m, rtol=1e-13)
    assert norm.num_batches_tracked.item() == 4


def test_chi_is_a_constant_to_the_gradient() -> None:
    x = torch.randn(5, 4, requires_grad=True)
    norm = ChiNorm(4)
    norm(x).sum().backward()

    torch.testing.assert_close(x.grad, torch.full((5, 4), 1 / norm.running_norm.item()))


def test_chi_before_training_is_the_identity() -> None:
    x = torch.randn(5, 4)

    assert torch.equal(ChiNorm(4).eval()(x), x)


def test_chi_of_normal_vectors() -> None:
    """m → E ‖N(0, I_n)‖ = √2 Γ((n + 1)/2) / Γ(n/2), the mean of the chi distribution, whose
    variance is below ½: five standard errors of 20,000."""

    norm = ChiNorm(9)
    norm(torch.randn(20_000, 9))
    half = torch.tensor(4.5)
    expected = 2**0.5 * ((half + 0.5).lgamma() - half.lgamma()).exp().item()

    assert norm.running_norm.item() == pytest.approx(expected, abs=5 * (0.5 / 20_000) ** 0.5)


def test_chi_of_zeros() -> None:
    x = torch.zeros(3, 4, requires_grad=True)
    norm = ChiNorm(4)
    y = norm(x)
    y.sum().backward()

    assert x.grad is not None
    assert not y.any()
    assert_finite("chi", gradient=x.grad, m=norm.running_norm)
