"""Tests for isoexp.probes.intervals."""

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from isoexp.probes.intervals import NORMAL_95, share_interval


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
