"""Tests for isoexp.probes.statistics."""

from math import isnan

import numpy as np
import pytest
import torch
from scipy.stats import binomtest, norm

from isoexp.probes.statistics import NORMAL_95, Moments, mean, share_interval


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


def test_the_normal_quantile_leaves_a_fortieth_on_either_side() -> None:
    assert norm.sf(NORMAL_95) == pytest.approx(0.025, rel=1e-12)


@pytest.mark.parametrize("n", [1, 7, 500])
def test_shares_have_the_interval_of_clopper_and_pearson(n: int) -> None:
    """None and all of the samples too; beyond them by rounding they are the same."""

    counts = np.array([0, n // 3, n])
    low, high = share_interval(counts / n, n)

    for k, a, b in zip(counts, low, high, strict=True):
        expected = binomtest(int(k), n).proportion_ci(0.95, method="exact")
        np.testing.assert_allclose([a, b], [expected.low, expected.high], atol=1e-12)
    assert share_interval(np.array([-1e-17, 1 + 1e-15]), n)[0][0] == 0
    assert share_interval(np.array([-1e-17, 1 + 1e-15]), n)[1][1] == 1


def test_the_mean_of_nothing_is_not_a_number() -> None:
    assert isnan(mean([]))
    assert mean([1.0, 2.0]) == 1.5
