"""Tests for sites and answers of isoexp.probes.ood_magnitude: its mathematics."""

from math import atanh, sqrt

import numpy as np
import pytest
import torch

from isoexp.probes.ood_magnitude.answers import (
    calibration_error,
    confidence,
    margin,
    rank_correlation,
    stretched,
)
from isoexp.probes.ood_magnitude.sites import directions
from isoexp.probes.statistics import Moments


def test_directions_are_those_of_ridge_regression() -> None:
    """Against the centred normal equations, whatever the parts in which samples come."""

    h = torch.randn(50, 6) + torch.tensor([0.0, 0, 0, 0, 0, 100])
    t = torch.stack([h[:, 0] + 0.1 * torch.randn(50), (h[:, 1] > 0).float()], dim=1)
    moments = Moments()
    for part in (slice(0, 20), slice(20, 21), slice(21, 50)):
        moments.add(torch.cat([h[part], t[part]], dim=1))

    a, b = (v.numpy().astype(float) - v.numpy().astype(float).mean(axis=0) for v in (h, t))
    power = (a**2).mean()
    w = np.linalg.solve(a.T @ a / 50 + 0.3 * power * np.eye(6), a.T @ b / 50)
    w /= np.linalg.norm(w, axis=0)

    np.testing.assert_allclose(directions(moments, 2, ridge=0.3).numpy(), w, rtol=1e-6, atol=1e-9)


def test_a_linear_feature_is_found_and_points_up() -> None:
    u = torch.nn.functional.normalize(torch.randn(8), dim=0)
    h = torch.randn(500, 8)
    moments = Moments()
    moments.add(torch.cat([h, torch.stack([h @ u, -(h @ u)], dim=1)], dim=1))
    w = directions(moments, 2, ridge=1e-9).float()

    torch.testing.assert_close(w, torch.stack([u, -u], dim=1), rtol=0, atol=1e-5)


@pytest.mark.parametrize(
    ("h", "t"),
    [
        (torch.full((9, 3), 0.1), torch.randn(9, 1)),  # dead units
        (torch.randn(9, 3), torch.full((9, 1), 0.1)),  # a quantity that is the same in all
        (torch.randn(1, 3), torch.randn(1, 1)),
    ],
)
def test_where_nothing_varies_there_is_no_direction(h: torch.Tensor, t: torch.Tensor) -> None:
    moments = Moments()
    moments.add(torch.cat([h, t], dim=1))

    assert torch.equal(directions(moments, 1), torch.zeros(3, 1, dtype=torch.float64))


def test_a_feature_made_stronger_leaves_the_rest() -> None:
    h, w = torch.randn(3, 4, 5), torch.nn.functional.normalize(torch.randn(5), dim=0)
    v = torch.nn.functional.normalize(torch.randn(5), dim=0)
    v = torch.nn.functional.normalize(v - (v @ w) * w, dim=0)

    s = torch.tensor([0.0, 1.0, 7.0])
    torch.testing.assert_close(stretched(h, s, w) @ w, s[:, None] * (h @ w))
    torch.testing.assert_close(stretched(h, s, w) @ v, h @ v)
    assert torch.equal(stretched(h, s), s[:, None, None] * h)


def test_calibration_error_against_a_plain_loop() -> None:
    p, right = torch.rand(500), torch.rand(500) < 0.6
    p[:3] = torch.tensor([0.0, 1.0, 0.2])

    for bins in (1, 4, 15):
        expected = 0.0
        for b in range(bins):
            inside = [
                i
                for i, c in enumerate(p.double().tolist())
                if b / bins < c <= (b + 1) / bins or (b == 0 and c == 0)
            ]
            if inside:
                gap = np.mean([right[i].item() for i in inside]) - np.mean([p[i] for i in inside])
                expected += len(inside) / 500 * abs(gap)
        rows = calibration_error(torch.stack([p, p]), torch.stack([right, ~right]), bins)
        assert rows[0].item() == pytest.approx(expected, rel=1e-5)
        torch.testing.assert_close(rows[1], calibration_error(p, ~right, bins))


def test_calibration_error_of_the_calibrated_and_of_the_sure() -> None:
    """Right as often as sure, in each bin: 0. Always sure and always wrong: 1."""

    p = torch.tensor([0.75] * 4 + [0.5] * 4)
    right = torch.tensor([True, True, True, False, True, False, True, False])

    assert calibration_error(p, right, 10) == pytest.approx(0, abs=1e-12)
    assert calibration_error(torch.ones(5), torch.zeros(5, dtype=torch.bool), 10) == 1
    edge = torch.tensor([0.25, 0.125]), torch.tensor([False, True])
    assert calibration_error(*edge, 4) == (0.875 - 0.25) / 2  # 0.25 is of the first of four
    nothing = torch.empty(0), torch.empty(0, dtype=torch.bool)
    assert calibration_error(*nothing, 10).isnan()


@pytest.mark.parametrize("lost", [torch.nan, torch.inf, -torch.inf])
def test_what_is_not_finite_has_no_margin_and_no_confidence(lost: float) -> None:
    z = torch.randn(4, 3)
    z[1, 2] = lost

    for found in (margin(z, torch.tensor([0, 1, 2, 0])), confidence(z)):
        assert found.isnan().tolist() == [False, True, False, False]


def test_margin_is_to_the_best_of_the_others() -> None:
    z = torch.tensor([[3.0, 1.0, 2.0], [0.0, 5.0, 4.0]])

    assert margin(z, torch.tensor([0, 2])).tolist() == [1.0, -1.0]
    both = margin(torch.stack([z, 3 * z]), torch.tensor([0, 2]))
    assert both.tolist() == [[1.0, -1.0], [3.0, -3.0]]


def test_rank_correlation_is_scipys() -> None:
    from scipy.stats import spearmanr

    a = np.random.default_rng(0).normal(size=60)
    b = a + np.random.default_rng(1).normal(size=60)
    for y in (b, np.round(b), -b, np.where(b > 1, np.inf, b)):
        found = rank_correlation(a, y)
        rho = float(spearmanr(a, y)[0])  # type: ignore[arg-type]
        assert found.rho == pytest.approx(rho, abs=1e-12)
        half = 1.959964 * sqrt((1 + rho**2 / 2) / 57)
        assert atanh(found.high) - atanh(found.rho) == pytest.approx(half, rel=1e-5)
        assert atanh(found.rho) - atanh(found.low) == pytest.approx(half, rel=1e-5)


def test_rank_correlation_of_rows_that_lack_some() -> None:
    """Each row is as without the samples of which a number is missing."""

    a, b = np.random.default_rng(0).normal(size=(2, 3, 40)).round(1)
    a[0, :7], b[0, 5:9], b[1] = np.nan, np.nan, np.nan
    found = rank_correlation(a, b)

    assert np.isnan([each[1] for each in found]).all()
    for row, kept in ((0, slice(9, None)), (2, slice(None))):
        alone = rank_correlation(a[row, kept], b[row, kept])
        np.testing.assert_allclose([each[row] for each in found], alone, rtol=1e-12)


def test_interval_covers_the_rank_correlation_of_normals() -> None:
    """ρ_S = (6/π) arcsin(r/2). Of 300 intervals 95 % hold it, give or take four deviations."""

    rng, r = np.random.default_rng(0), 0.6
    truth = 6 / np.pi * np.arcsin(r / 2)
    hits = 0
    for _ in range(300):
        a, e = rng.normal(size=(2, 40))
        found = rank_correlation(a, r * a + sqrt(1 - r**2) * e)
        hits += found.low <= truth <= found.high

    assert abs(hits / 300 - 0.95) < 4 * sqrt(0.95 * 0.05 / 300)


def test_rank_correlation_of_the_monotone_the_constant_and_the_few() -> None:
    x = np.arange(9.0)

    assert rank_correlation(x, np.exp(x)) == (1, 1, 1)
    assert rank_correlation(x, -x) == (-1, -1, -1)
    for a, b in ((x, np.ones(9)), (np.ones(9), x), (x[:3], x[:3]), (x[:0], x[:0])):
        assert np.isnan(rank_correlation(a, b)).all()
