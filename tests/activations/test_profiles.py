"""Tests for softplus_profile of isoexp.activations.isotropic."""

import mpmath as mp
import pytest
import torch

from isoexp.activations import softplus_profile

from .. import references


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_softplus_profile_keeps_every_digit(dtype: torch.dtype) -> None:
    eps = torch.finfo(dtype).eps
    r = torch.logspace(-30, 3, 67, dtype=dtype)

    with mp.workdps(30):
        for given, value in zip(r.tolist(), softplus_profile(r).tolist(), strict=True):
            exact = references.PROFILES["softplus_profile"](mp.mpf(given))
            error = abs(value - exact) / exact
            assert error < 4 * eps, f"off by {float(error / eps):.1f} eps at r = {given:g}"


def test_the_plain_difference_loses_them() -> None:
    """The control, and the reason why the profile is not written as it is read."""

    r = torch.tensor([1e-12], dtype=torch.float64)
    plain = torch.nn.functional.softplus(r) - torch.tensor(2.0, dtype=torch.float64).log()

    torch.testing.assert_close(softplus_profile(r), r / 2, rtol=1e-12, atol=0)
    assert abs(plain / (r / 2) - 1).item() > 1e-6


def test_softplus_profile_has_slope_one_half_at_zero() -> None:
    r = torch.zeros(1, requires_grad=True)
    (slope,) = torch.autograd.grad(softplus_profile(r), r)

    assert softplus_profile(r).item() == 0
    assert slope.item() == 0.5
