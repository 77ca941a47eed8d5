"""Tests for isoexp.probes.continuity, and the statistics that it rests on."""

from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from matplotlib.figure import Figure
from scipy.integrate import quad
from torch import Tensor, nn

from isoexp.activations import Identity, ReLU
from isoexp.data import Factor, Shapes
from isoexp.figures import continuity as drawing
from isoexp.geometry import random_orthogonal
from isoexp.probes import Continuity, Subject, Unsuitable
from isoexp.probes.continuity.decoding import centre, difference, mixed
from isoexp.probes.continuity.lumps import (
    clusters,
    gap_mean,
    gap_quantile,
    gap_survival,
    gaps,
    moments,
    probabilities,
)
from isoexp.probes.continuity.paths import FactorPath, limit_angle, random_bases

FAST = Continuity(samples=400, pairs=400, steps=4, bases=8)


# The statistics


@pytest.mark.parametrize("n", [2, 3, 10, 300, 3000])
def test_the_law_of_the_largest_gap_has_its_mean(n: int) -> None:
    """E G = ∫ P(G > g) dg, a sum that is known without the law."""

    top = min(1.0, 20 * gap_mean(n))
    mean, _ = quad(gap_survival, 0, top, args=(n,), points=[1 / n, gap_mean(n)], limit=200)

    assert mean == pytest.approx(gap_mean(n), rel=1e-3)


def test_the_largest_of_two_gaps_is_uniform() -> None:
    for g in (0.5, 0.6, 0.9):
        assert gap_survival(g, 2) == pytest.approx(2 * (1 - g))
    assert gap_quantile(0.1, 2) == pytest.approx(0.95)


@pytest.mark.parametrize("periodic", [True, False])
def test_uniform_points_are_parted_in_one_case_of_twenty(periodic: bool) -> None:
    rng = np.random.default_rng(0)
    n, draws = 60, 2000
    bound = gap_quantile(0.05, n if periodic else n + 1)

    wide = [gaps(rng.random(n), periodic).max() > bound for _ in range(draws)]
    assert np.mean(wide) == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / draws) ** 0.5)


@pytest.mark.parametrize("periodic", [True, False])
@pytest.mark.parametrize("m", [1, 2, 5, 8])
def test_as_many_clusters_are_found_as_there_are(m: int, periodic: bool) -> None:
    for seed in range(20):
        rng = np.random.default_rng(seed)
        u = (rng.integers(m, size=400) + 0.5 + 0.02 * rng.uniform(-1, 1, 400)) / m
        expected = m if m > 1 or not periodic else 1

        assert clusters(u, periodic) == expected
        assert abs(moments(u, m)[-1]) > 0.99
        assert clusters(rng.random(400), periodic) <= 2  # the control


def test_clusters_go_round_the_circle() -> None:
    """Of two clusters, one at 0: on a line it is two."""

    u = np.concatenate([np.linspace(-0.1, 0.1, 50) % 1, np.linspace(0.4, 0.6, 50)])

    assert clusters(u, periodic=True) == 2
    assert clusters(u, periodic=False) == 3


def test_stragglers_are_no_clusters() -> None:
    u = np.concatenate([np.linspace(0, 0.5, 200), [0.7, 0.9]])

    assert clusters(u, periodic=True) == 1
    assert clusters(u, periodic=True, least=0.0) == 3
    assert clusters(np.linspace(0.4, 0.6, 200), periodic=False, least=0.0) == 1  # nor are ends


def test_a_single_point_is_one_cluster() -> None:
    for periodic in (True, False):
        assert clusters(np.array([0.3]), periodic) == 1
        assert gaps(np.array([0.3]), periodic).sum() == pytest.approx(1)
    assert gap_mean(1) == 1


@pytest.mark.parametrize("m", [2, 3, 7])
def test_the_moment_sees_its_own_levels_only(m: int) -> None:
    u = (np.arange(840) % m) / m + 0.123

    expected = [float(k % m == 0) for k in range(1, 13)]
    np.testing.assert_allclose(abs(moments(u, 12)), expected, atol=1e-9)


def test_the_moment_of_uniform_points_is_that_of_a_random_walk() -> None:
    """n E |·|² = 1, and that exceeds log 20 in one case of twenty."""

    rng = np.random.default_rng(0)
    squares = 100 * abs(moments(rng.random((4000, 100)), 3)[2]) ** 2

    assert squares.mean() == pytest.approx(1, abs=4 / 4000**0.5)
    assert (squares > np.log(20)).mean() == pytest.approx(0.05, abs=4 * (0.0475 / 4000) ** 0.5)


def test_differences_go_the_short_way_round() -> None:
    t, s = np.array([0.9, 0.1, 0.6]), np.array([0.1, 0.9, 0.5])

    np.testing.assert_allclose(difference(t, s, True), [-0.2, 0.2, 0.1])
    np.testing.assert_allclose(difference(t, s, False), [0.8, -0.8, 0.1])
    assert abs(centre(np.array([0.9, 0.1]), True)) < 1e-12
    assert centre(np.array([0.0, 0.1, 0.9]), False) == 0.1


def test_probabilities_are_uniform_ties_or_not() -> None:
    """Kolmogorov: √n sup |F_n − F| exceeds 2 with a probability of 7e-4."""

    for draw in (lambda rng, n: rng.standard_normal(n), lambda rng, n: rng.integers(3, size=n) / 3):
        for seed in range(5):
            rng = np.random.default_rng(seed)
            u = np.sort(probabilities(draw(rng, 400), draw(rng, 40_000), rng))
            assert abs(u - np.arange(400) / 400).max() < 2.2 / 20
            assert 0 <= u[0] < u[-1] < 1


# Paths


@pytest.mark.parametrize("n", [1, 2, 4])
def test_the_limit_angle_is_that_of_the_best_of_all_limit_points(n: int) -> None:
    v = np.random.default_rng(n).standard_normal((50, n))
    points = np.array([p for p in product((-1, 0, 1), repeat=n) if any(p)], dtype=float)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    cos = (v @ points.T).max(axis=1) / np.linalg.norm(v, axis=1)

    np.testing.assert_allclose(limit_angle(v), np.arccos(np.minimum(cos, 1)), atol=3e-8)
    np.testing.assert_allclose(limit_angle(points), 0, atol=3e-8)
    assert np.isnan(limit_angle(np.zeros((1, n)))).all()


def test_random_bases_are_bases_and_haar() -> None:
    """Lengths and angles stay, and a coordinate has the moments of the sphere."""

    rng = np.random.default_rng(0)
    v = rng.standard_normal((3, 5))
    turned = random_bases(v, 4000, rng)

    np.testing.assert_allclose(
        turned @ turned.swapaxes(1, 2), (v @ v.T)[None] + 0 * turned[:, :, :3]
    )
    squares = turned[:, 0, 0] ** 2 / (v[0] @ v[0])
    assert squares.mean() == pytest.approx(1 / 5, abs=4 * 0.24 / 4000**0.5)
    assert (squares**2).mean() == pytest.approx(3 / 35, abs=4 * 0.16 / 4000**0.5)
    assert turned[:, 0, 0].mean() == pytest.approx(0, abs=4 * 0.45 * 4 / 4000**0.5)


def test_the_share_of_a_path_is_unbiased() -> None:
    """Of a circle of variance 1 in noise of variance 3 a quarter; of noise alone nothing."""

    found: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        t, noise = rng.random(400), 0.5 * rng.standard_normal((400, 12))
        circle = np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=1)
        for there in found:
            h = np.concatenate([circle, noise], axis=1) if there else noise
            path = FactorPath.of(h, t, True, 12)
            assert path is not None
            found[there].append(path.share()[0])

    within = (12 / np.pi * np.sin(np.pi / 12)) ** 2  # a mean over a bin is inside the circle
    for there, expected in ((True, within / 4), (False, 0.0)):
        values = np.array(found[there])
        assert values.mean() == pytest.approx(expected, abs=4 * values.std() / 40**0.5)


def test_the_jump_of_a_staircase() -> None:
    """12 steps of which m are jumps: 12/m; at constant speed 1."""

    t = np.random.default_rng(0).permutation((np.arange(960) + 0.5) / 960)

    for m in (2, 3, 4, 6, 12):
        turn = 2 * np.pi * np.floor(t * m) / m
        path = FactorPath.of(np.stack([np.cos(turn), np.sin(turn)], axis=1), t, True, 12)
        assert path is not None
        assert path.jump()[0] == pytest.approx(12 / m)
    line = FactorPath.of(np.floor(4 * t)[:, None], t, False, 12)
    assert line is not None
    assert line.jump()[0] == pytest.approx(11 / 3)


def test_there_is_no_path_through_empty_bins_or_one_point() -> None:
    t = np.random.default_rng(0).random(400)

    assert FactorPath.of(np.ones((400, 3)), t, True, 12) is None
    assert FactorPath.of(t[:, None], np.where(t < 0.5, 0.0, 0.9), False, 6) is None


# The probe on representations made by hand


def made(
    h: np.ndarray, model: nn.Module | None = None, seed: int = 0, **factors: Factor
) -> Subject:
    """Vectors as the inputs of a network, that hands them on unless given."""

    return Subject(
        (model or nn.Sequential(Identity(h.shape[1]))).eval(),
        torch.from_numpy(h),
        None,
        None,
        torch.Generator().manual_seed(seed),
        factors=factors,
    )


def circle(
    seed: int = 0, levels: int | None = None, noise: float = 0.02, samples: int = 400
) -> tuple[np.ndarray, np.ndarray]:
    """Points of a circle in R^8, or of so many points on it, and their hue between 0 and 3."""

    rng = np.random.default_rng(seed)
    t = rng.random(samples)
    turn = 2 * np.pi * (t if levels is None else np.floor(levels * t) / levels)
    h = (
        np.stack([np.cos(turn), np.sin(turn)], axis=1)
        @ np.linalg.qr(rng.standard_normal((8, 2)))[0].T
    )

    return h + noise * rng.standard_normal(h.shape), 3 * t


def measured(subject: Subject, probe: Continuity = FAST) -> Any:
    return pd.DataFrame(probe(subject))


def value(table: Any, measure: str, layer: str = "0", column: str = "value", **where: Any) -> float:
    rows = table[(table["measure"] == measure) & (table["layer"] == layer)]
    for name, wanted in where.items():
        rows = rows[rows[name] == wanted]
    assert len(rows) == 1, f"{len(rows)} rows"

    return float(rows[column].iloc[0])


@pytest.mark.parametrize("seed", range(8))
def test_a_circle_is_continuous(seed: int) -> None:
    h, hue = circle(seed)
    table = measured(made(h, seed=seed, hue=Factor(hue, 3.0)))

    assert value(table, "decode_r2") > 0.99
    assert value(table, "decode_error") < 0.1
    assert value(table, "clusters") == 1
    assert value(table, "gap") < 2
    assert max(value(table, "levels", at=m) for m in range(1, 9)) < 0.15
    assert value(table, "jump") < 1.5
    assert value(table, "path_share") > 0.9


@pytest.mark.parametrize("seed", range(8))
def test_eight_levels_are_found(seed: int) -> None:
    """The control. Of 8 arcs of t, each decoded at its beginning, those missing are 8 gaps."""

    h, hue = circle(seed, levels=8)
    table = measured(made(h, seed=seed, hue=Factor(hue, 3.0)))

    assert value(table, "clusters") == 8
    assert value(table, "gap") > 3
    assert value(table, "levels", at=8.0) > 0.9
    assert max(value(table, "levels", at=m) for m in range(1, 8)) < 0.25


@pytest.mark.parametrize("seed", range(8))
def test_levels_of_a_line_are_found(seed: int) -> None:
    rng = np.random.default_rng(seed)
    t = rng.random(400)
    noise = 0.003 * rng.standard_normal((400, 3))

    for h, expected in ((np.floor(5 * t) / 5, 5), (t, 1)):
        vectors = h[:, None] * np.ones(3) + noise
        table = measured(made(vectors, seed=seed, size=Factor(t)))
        assert value(table, "clusters") == expected
        assert value(table, "decode_r2") > 0.9


def test_noise_decodes_nothing_and_has_no_lumps() -> None:
    surprises, r2 = 0, []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        it = made(rng.standard_normal((400, 8)), seed=seed, hue=Factor(rng.random(400), 1.0))
        table = measured(it)
        r2.append(value(table, "decode_r2"))
        assert r2[-1] < 0.1
        assert value(table, "decode_error") == pytest.approx(1, abs=0.25)
        assert np.isnan(value(table, "clusters"))
        assert np.isnan(value(table, "levels", at=3.0))
        surprises += value(table, "path_share", column="low") > 0
        assert np.isnan(value(table, "jump")) == (value(table, "path_share", column="low") <= 0)

    assert np.mean(r2) < 0  # on what it was fitted to it would be above
    assert surprises <= 4  # of 2.5 % each, five have a probability of 2e-4


def test_a_coarse_factor_is_no_lump_of_the_network() -> None:
    """Hues that take 8 values are decoded as 8, and that is their own distribution."""

    h, hue = circle(levels=8)
    table = measured(made(h, hue=Factor(np.floor(8 * hue / 3) * 3 / 8, 3.0)))

    assert value(table, "decode_r2") > 0.99
    assert value(table, "clusters") == 1
    assert value(table, "levels", at=8.0) < 0.2


def test_only_the_limit_angle_knows_the_basis() -> None:
    """A circle in the plane of two axes: 4 axes and 4 corners, π/8 apart, their mean angle π/16."""

    rng = np.random.default_rng(0)
    t = rng.permutation((np.arange(1200) + 0.5) / 1200)
    h = np.concatenate(
        [np.cos(2 * np.pi * t)[:, None], np.sin(2 * np.pi * t)[:, None], np.zeros((1200, 10))],
        axis=1,
    )
    h += 0.01 * rng.standard_normal(h.shape)
    turned = h @ random_orthogonal(12, torch.Generator().manual_seed(1)).numpy()
    probe = replace(FAST, samples=1200, bins=24)
    tables = [measured(made(each, hue=Factor(t, 1.0)), probe) for each in (h, turned)]

    # The centres of 24 bins are 7.5°, 22.5° and 37.5° from axes, so 7.5, 22.5 and 7.5 from points.
    aligned = value(tables[0], "limit_angle_rad", basis="standard")
    assert aligned == pytest.approx(np.deg2rad(12.5), abs=0.02)
    for table in tables:
        assert value(table, "limit_angle_rad", basis="random") > 1.5 * aligned
    off = value(tables[1], "limit_angle_rad", basis="standard")
    assert off > 1.5 * aligned

    free = [table[table["measure"] != "limit_angle_rad"] for table in tables]
    shown = ["layer", "factor", "measure", "at", "value", "low", "high", "null", "n"]
    pd.testing.assert_frame_equal(free[0][shown], free[1][shown], rtol=1e-4, atol=1e-6)


class Centred(nn.Module):
    """What lies near the unit circle stays; what is well inside goes to one point of it."""

    def forward(self, x: Tensor) -> Tensor:
        inside = x.norm(dim=1, keepdim=True) < 0.95

        return torch.where(inside, torch.eye(x.shape[1], dtype=x.dtype)[0], x)


def unit_circle(samples: int = 400) -> tuple[np.ndarray, Factor]:
    t = np.random.default_rng(0).random(samples)

    return np.stack([np.cos(2 * np.pi * t), np.sin(2 * np.pi * t)], axis=1), Factor(t, 1.0)


def test_between_two_points_of_a_circle_lies_what_is_between() -> None:
    h, hue = unit_circle()
    table = measured(made(h, hue=hue))

    assert value(table, "interpolation_error", at=0.5) < 1e-3
    # The chord of Δ runs ahead of the arc: at λ = ¼ by Δ/4 − atan2(sin Δ, 3 + cos Δ), Δ up to ⅓.
    a = 2 * np.pi * np.linspace(1 / 6, 1 / 3)
    ahead = (a / 4 - np.arctan2(np.sin(a), 3 + np.cos(a))) / (2 * np.pi) / 0.25
    assert ahead.min() - 1e-3 < value(table, "interpolation_error", at=0.25) < ahead.max() + 1e-3


def test_a_network_that_does_not_know_what_is_between_is_found_out() -> None:
    """The control: real samples are decoded alike, and those half way at random."""

    h, hue = unit_circle()
    table = measured(made(h, nn.Sequential(Identity(2), Centred(), Identity(2)), hue=hue))

    assert value(table, "interpolation_error", "0", at=0.5) > 0.7
    assert value(table, "interpolation_error", "0", "null", at=0.5) < 1e-3
    for place in ("inputs", "2"):  # read before and behind what does not know it
        assert value(table, "interpolation_error", place, at=0.5) < 1e-3


@pytest.mark.parametrize("share", [0.0, 0.25, 1.0])
def test_mixing_is_what_it_is_by_hand(share: float) -> None:
    """Each half of the network by itself, with the mixture between them."""

    model = convolutional()
    model.eval()
    a, b = torch.randn(2, 7, 3, 8, 8)
    it = Subject(model, a, None, None, torch.Generator())

    for place, k in (("inputs", 0), ("2", 3), ("4", 5)):
        found = mixed(it, place, a, b, share)
        with torch.no_grad():
            h = torch.lerp(model[:k](a), model[:k](b), share)
            expected = model[k:](h)
        np.testing.assert_allclose(found["outputs"], expected, atol=1e-5)
        here = found[place]
        np.testing.assert_allclose(here, h.mean((2, 3)) if k else h.flatten(1), atol=1e-5)


# Networks


def pictures(samples: int = 200) -> tuple[Tensor, dict[str, Factor]]:
    splits = Shapes(train=20, valid=20, test=samples, side=8).load()

    return torch.from_numpy(splits.test.x), dict(splits.factors)


def convolutional() -> nn.Sequential:
    """A network of torch's own, channels in the middle."""

    torch.manual_seed(0)

    return nn.Sequential(
        nn.Conv2d(3, 6, 3), nn.BatchNorm2d(6), nn.ReLU(inplace=True), nn.Conv2d(6, 4, 3),
        nn.ReLU(), nn.Flatten(), nn.Linear(64, 4),
    )  # fmt: skip


def test_measures_a_users_network_and_leaves_it_as_it_was() -> None:
    x, factors = pictures()
    model = convolutional().eval()
    before = {name: t.clone() for name, t in model.state_dict().items()}
    it = Subject(model, x, None, None, torch.Generator().manual_seed(0), factors=factors)
    table = measured(it)

    assert list(table["layer"].unique()) == ["inputs", "2", "4", "outputs"]
    assert set(table["factor"]) == set(factors)
    assert list(table.columns) == list(Continuity.schema)
    for name, kind in Continuity.schema.items():
        assert all(isinstance(cell, kind) for cell in table[name].tolist()), name

    for name, t in model.state_dict().items():
        assert torch.equal(t, before[name]), name
    assert all(p.grad is None and p.requires_grad for p in model.parameters())
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in model.modules())
    assert not any(module.training for module in model.modules())

    again = replace(it, generator=torch.Generator().manual_seed(0))
    pd.testing.assert_frame_equal(table, measured(again))


@pytest.mark.parametrize("samples", [16, 17, 40])
def test_few_samples_are_no_error(samples: int) -> None:
    h, hue = circle(samples=samples)
    table = measured(made(h, hue=Factor(hue, 3.0), size=Factor(hue)))

    assert value(table, "path_share", factor="hue", column="n") == samples
    assert np.isfinite(value(table, "decode_r2", factor="size"))


def test_dead_and_single_units_are_no_error() -> None:
    t = np.random.default_rng(0).random(400)
    table = measured(made(-1 - t[:, None], nn.Sequential(ReLU(1)), size=Factor(t)))

    assert value(table, "decode_r2", "inputs") > 0.99
    assert value(table, "limit_angle_rad", "inputs", basis="standard") == 0
    assert value(table, "decode_r2") == pytest.approx(0, abs=0.05)
    for measure in ("gap", "clusters", "path_share", "jump"):
        assert np.isnan(value(table, measure))
    assert np.isnan(value(table, "interpolation_error", at=0.5))


@pytest.mark.parametrize(
    ("factors", "message"),
    [
        ({}, "use data=shapes, or give factors="),
        ({"hue": Factor(np.zeros(50))}, "hue must vary, it is 0 everywhere"),
        ({"hue": Factor(np.arange(49.0))}, "hue must be a finite number for each of the 50"),
        ({"hue": Factor(np.full(50, np.nan))}, "hue must be a finite number for each of the 50"),
    ],
)
def test_refuses_what_is_not_known(factors: dict, message: str) -> None:
    with pytest.raises(Unsuitable, match=message):
        FAST(made(np.ones((50, 3)), **factors))


def test_refuses_too_few_samples_and_what_is_not_finite() -> None:
    with pytest.raises(Unsuitable, match="at least 16 samples, there are 15"):
        FAST(made(np.ones((15, 3)), hue=Factor(np.arange(15.0))))
    with pytest.raises(Unsuitable, match="what inputs gives must be finite"):
        FAST(made(np.full((20, 3), np.inf), hue=Factor(np.arange(20.0))))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"samples": 15}, "samples must be at least 16, got 15"),
        ({"levels": 0}, "levels must be at least 1"),
        ({"bins": 2}, "bins must be at least 3"),
        ({"pairs": 0}, "pairs must be at least 1"),
        ({"steps": 1}, "steps must be at least 2"),
        ({"bases": 1}, "bases must be at least 2"),
        ({"separation": 0.0}, "separation must be positive and at most 3/8, got 0"),
        ({"separation": 0.4}, "separation must be positive and at most 3/8, got 0.4"),
    ],
)
def test_settings_that_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Continuity(**settings)


# What is shown


def test_summary_is_over_what_could_be_measured() -> None:
    rng = np.random.default_rng(99)
    h, hue = circle()
    it = made(h, hue=Factor(hue, 3.0), other=Factor(rng.random(400)))
    rows = FAST(it)
    table: Any = pd.DataFrame(rows)
    found = FAST.summary(rows)

    r2 = [value(table, "decode_r2", factor=f) for f in ("hue", "other")]
    assert found["decode_r2"] == pytest.approx(np.mean(r2))
    levels = table[(table["measure"] == "levels") & (table["layer"] == "0") & (table["at"] >= 2)]
    assert found["levels"] == pytest.approx(max(0.0, (levels["value"] - levels["null_high"]).max()))
    assert found["jump"] == pytest.approx(value(table, "jump", factor="hue"))
    assert found["limit_angle_rad_off_random"] == pytest.approx(
        value(table, "limit_angle_rad", factor="hue", basis="standard")
        - value(table, "limit_angle_rad", factor="hue", basis="random")
    )
    assert np.isnan(FAST.summary({name: [] for name in rows})["decode_r2"])


def test_figure_shows_the_numbers_of_the_table() -> None:
    x, factors = pictures()
    torch.manual_seed(0)
    it = Subject(
        convolutional().eval(), x, None, None, torch.Generator().manual_seed(0), factors=factors
    )
    table, figure = measured(it), Figure()
    drawing.draw(table, figure)
    decoded, _, between, angles = figure.axes

    shown: Any
    for axes, measure, where in (
        (decoded, "decode_r2", {}),
        (angles, "limit_angle_rad", {"basis": "standard"}),
        (between, "interpolation_error", {"at": 0.5}),
    ):
        shown = next(line for line in axes.lines if line.get_label() == "hue")
        found = shown.get_ydata()
        assert len(found) == (3 if axes is between else 4)
        for place, y in zip(("inputs", "2", "4", "outputs"), found, strict=False):
            expected, null = (
                value(table, measure, place, column, **{"factor": "hue", **where})
                for column in ("value", "null")
            )
            expected = expected / null if axes is between else expected - null
            np.testing.assert_equal(float(y), expected)
    assert "100 samples decoded" in figure.get_suptitle()
    both = pd.concat([table.assign(network="untrained"), table.assign(network="trained")])
    drawing.draw(both, Figure())
