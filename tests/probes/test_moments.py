"""Tests for isoexp.probes.moments."""

import pytest
import torch

from isoexp.probes.moments import Moments


@pytest.mark.parametrize("sizes", [[100], [1, 59, 40], [1] * 100])
def test_moments_of_parts_are_those_of_the_whole(sizes: list[int]) -> None:
    """Far from the origin too, where sums of squares would lose every digit."""

    x = 1e6 + torch.randn(100, 5, dtype=torch.float64) * torch.arange(5)
    moments = Moments()
    for part in x.split(sizes):
        moments.add(part)

    assert moments.count == 100
    torch.testing.assert_close(moments.mean, x.mean(dim=0), rtol=1e-15, atol=0)
    covariance = torch.cov(x.mT, correction=0)
    torch.testing.assert_close(moments.covariance, covariance, rtol=1e-9, atol=1e-9)
    assert torch.equal(moments.low, x.amin(dim=0))
    assert torch.equal(moments.high, x.amax(dim=0))
    assert (moments.low == moments.high).tolist() == [True] + [False] * 4  # that times zero


def test_moments_are_in_double_precision() -> None:
    moments = Moments()
    moments.add(torch.randn(9, 3, dtype=torch.float32))

    assert moments.mean.dtype == moments.covariance.dtype == torch.float64
