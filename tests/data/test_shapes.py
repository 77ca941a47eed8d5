"""Tests for isoexp.data.shapes."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from math import pi

import numpy as np
import pytest

from isoexp.config.compose import compose
from isoexp.data import Shapes, Splits
from isoexp.data.shapes import KINDS, cover
from isoexp.experiment.job import prepare

SMALL = Shapes(train=60, valid=20, test=40)


@cache
def load() -> Splits:
    return Shapes().load()


def content(count: int, seed: int = 0) -> tuple[np.ndarray, ...]:
    """Kinds, angle, x, y and size, as the set draws them."""

    kinds, factors = Shapes().content(np.random.default_rng(seed), count)

    return kinds, *(factors[name].values for name in ("angle", "x", "y", "size"))


@pytest.mark.parametrize("side", [16, 32, 64])
def test_area_and_centroid_are_those_asked_for(side: int) -> None:
    """Within a pixel's area for corners, and h s/10 for edges that keep step with the grid."""

    kinds, angle, x, y, size = content(400)
    covered, h = cover(kinds, angle, x, y, size, side), 2 / side
    grid = (np.arange(side) + 0.5) * h - 1

    area = covered.sum(axis=(1, 2)) * h**2
    np.testing.assert_array_less(abs(area - size**2), h**2 + h * size / 10)
    np.testing.assert_array_less(abs((covered * grid).sum(axis=(1, 2)) * h**2 / area - x), h)
    down = (covered * grid[:, None]).sum(axis=(1, 2)) * h**2 / area
    np.testing.assert_array_less(abs(down - y), h)


def test_finer_pictures_are_nearer_the_exact_area() -> None:
    """The error is that of corners, of order h²: at a quarter of h, about a sixteenth."""

    kinds, angle, x, y, size = content(400)
    errors = [
        abs(cover(kinds, angle, x, y, size, side).sum(axis=(1, 2)) * 4 / side**2 - size**2).mean()
        for side in (16, 64)
    ]

    assert 10 < errors[0] / errors[1] < 22


@pytest.mark.parametrize("kind", range(4), ids=KINDS)
def test_only_a_whole_turn_brings_a_kind_back(kind: int) -> None:
    def drawn(angle: float) -> np.ndarray:
        one = [np.array([v]) for v in (angle, 0.0, 0.0, 0.8)]

        return cover(np.array([kind]), *one, side=64)[0]

    np.testing.assert_allclose(drawn(0.3 + 2 * pi), drawn(0.3), atol=1e-12)
    for k in (2, 3, 4, 5, 6, 8, 16):
        moved = abs(drawn(0.3 + 2 * pi / k) - drawn(0.3)).sum() / drawn(0.3).sum()
        assert moved > 0.1, f"1/{k} of a turn"


def test_angle_turns_from_x_towards_y() -> None:
    """The tip of the wedge: a quarter turn moves it from the right to below, rows going down."""

    wedge = np.array([0])
    tip = []
    for angle in (0.0, pi / 2):
        covered = cover(wedge, *(np.array([v]) for v in (angle, 0.0, 0.0, 0.8)), side=64)[0]
        rows, columns = np.nonzero(covered > 0.5)
        far = np.hypot(rows - 31.5, columns - 31.5).argmax()
        tip.append((rows[far] - 31.5, columns[far] - 31.5))

    assert tip[0][1] > 20
    assert abs(tip[0][0]) < 2
    assert tip[1][0] > 20
    assert abs(tip[1][1]) < 2


def test_pictures_move_continuously_with_every_factor() -> None:
    """No pixel jumps: the cover is 1/h-Lipschitz in the distance, that moves by at most d here."""

    kinds, angle, x, y, size = content(300)
    d, side = 1e-4, 16
    still = cover(kinds, angle, x, y, size, side)

    for moved in (
        cover(kinds, angle + d, x, y, size, side),
        cover(kinds, angle, x + d, y, size, side),
        cover(kinds, angle, x, y + d, size, side),
        cover(kinds, angle, x, y, size + d, side),
    ):
        # A point of the picture is at most 2√2 from a centroid, so moves by at most as many d; in
        # the unit of size, at least ½, by half as much again for the distance's own scale.
        assert 0 < abs(moved - still).max() < 2 * 2**1.5 * d / (2 / side)


def test_hues_are_on_a_circle() -> None:
    """Around the grey of all hues each is as far, and goes as far for a step: no hue is apart."""

    source = replace(SMALL, train=300)
    _, factors = source.content(np.random.default_rng(0), 360)
    pictures, _ = source.draw(np.random.default_rng(0), 360)

    colors = pictures.max(axis=(2, 3)) / pictures.sum(axis=1).max(axis=(1, 2))[:, None] * 1.5
    around = colors - 0.5
    np.testing.assert_allclose((around**2).sum(axis=1), 3 / 8, rtol=1e-9)
    turns = around @ np.exp(2j * pi * np.arange(3) / 3) / 0.75
    np.testing.assert_allclose(turns, np.exp(2j * pi * factors["hue"].values), atol=1e-9)


def test_sizes_shapes_and_types() -> None:
    splits = replace(SMALL, side=12).load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [60, 20, 40]
    assert splits.inputs == (3, 12, 12)
    assert splits.outputs == 4
    assert splits.train.x.dtype == np.float32
    assert splits.train.y.dtype == np.int64


def test_factors_are_those_of_the_test_split() -> None:
    """Drawn again from the factors, the pictures are the same but for scale and shift."""

    splits = SMALL.load()
    hue, angle, x, y, size = (f.values for f in splits.factors.values())
    colors = 0.5 + 0.5 * np.cos(2 * pi * (hue[:, None] - np.arange(3) / 3))
    again = colors[:, :, None, None] * cover(splits.test.y, angle, x, y, size, 16)[:, None]

    slope, shift = np.polyfit(again.ravel(), splits.test.x.ravel(), 1)
    np.testing.assert_allclose(slope * again + shift, splits.test.x, atol=1e-5)
    assert [f.period for f in splits.factors.values()] == [1.0, 2 * pi, None, None, None]


def test_factors_are_uniform_and_independent() -> None:
    unit = []
    for f, low, high in zip(
        load().factors.values(),
        (0, 0, -0.15, -0.15, 0.5),
        (1, 2 * pi, 0.15, 0.15, 0.85),
        strict=True,
    ):
        unit.append((f.values - low) / (high - low))
        # Kolmogorov: √n sup |F_n − F| exceeds 3 with a probability of 3e-8.
        steps = np.sort(unit[-1]) - np.arange(2000) / 2000
        assert abs(steps).max() < 3 / 2000**0.5

    correlations = np.corrcoef(unit)[np.triu_indices(5, 1)]
    assert abs(correlations).max() < 5 / 2000**0.5


def test_target_factors_are_of_variance_one() -> None:
    splits = replace(Shapes(), target="factors").load()
    y = splits.test.y
    hue, angle, x, _, size = (f.values for f in splits.factors.values())

    assert y.dtype == np.float32
    assert splits.outputs == y.shape[1] == 7
    # The square of a cosine, and of a uniform value, has a variance of at most 1.
    np.testing.assert_allclose((y**2).mean(axis=0), 1, atol=5 / 2000**0.5)
    np.testing.assert_allclose(y.mean(axis=0), 0, atol=5 / 2000**0.5)
    np.testing.assert_allclose(np.arctan2(y[:, 1], y[:, 0]) % (2 * pi), 2 * pi * hue, atol=1e-5)
    np.testing.assert_allclose(np.arctan2(y[:, 3], y[:, 2]) % (2 * pi), angle, atol=1e-5)
    np.testing.assert_allclose(y[:, 4], 3**0.5 * x / 0.15, atol=1e-5)
    np.testing.assert_allclose(y[:, 6], 3**0.5 * (size - 0.675) / 0.175, atol=1e-5)


def test_pixels_share_one_scale() -> None:
    """By a scale of their own, those that are hardly ever reached would be thousands."""

    splits = load()

    assert splits.standardized() is splits
    assert splits.train.x.mean() == pytest.approx(0, abs=1e-4)
    assert splits.train.x.std() == pytest.approx(1, abs=1e-4)
    assert abs(splits.test.x).max() < 10
    own = replace(splits, standardize=True).standardized()  # the control
    assert abs(own.test.x).max() > 50


def test_the_kinds_can_be_told_apart_but_not_by_their_size() -> None:
    kinds, _, x, y, size = content(600)
    upright = cover(kinds, 0 * x, x, y, size, 16).reshape(600, -1)
    area = upright.sum(axis=1, keepdims=True)

    def score(features: np.ndarray) -> float:
        """Of least squares onto the classes."""

        features = np.column_stack([features, np.ones(600)])
        weights, *_ = np.linalg.lstsq(features[:400], np.eye(4)[kinds[:400]], rcond=0.01)

        return float(((features[400:] @ weights).argmax(axis=1) == kinds[400:]).mean())

    assert score(upright) > 0.9
    assert score(area) < 0.45


@pytest.mark.parametrize("target", ["class", "factors"])
@pytest.mark.parametrize("model", ["mlp", "cnn", "autoencoder", "conv_autoencoder"])
def test_models_train_on_it(model: str, target: str) -> None:
    sizes = ["data.train=20", "data.valid=2", "data.test=2", f"data.target={target}"]

    prepare(compose([f"model={model}", "data=shapes", "probe=none", *sizes])).lab()


def test_a_set_is_a_function_of_its_settings() -> None:
    before = SMALL.fingerprint()

    assert before == replace(SMALL).fingerprint()
    for setting, value in {
        "seed": 1, "train": 61, "side": 15, "position": 0.1, "smallest": 0.4, "largest": 0.8,
        "target": "factors",
    }.items():  # fmt: skip
        assert replace(SMALL, **{setting: value}).fingerprint() != before, setting


def test_another_process_draws_alike() -> None:
    code = (
        "from isoexp.data import Shapes\n"
        "print(Shapes(train=60, valid=20, test=40).fingerprint())\n"
        "import sys; assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == SMALL.fingerprint(), done.stderr


def test_leaves_the_global_generator_alone() -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    SMALL.load()

    assert np.random.rand() == expected


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": 0}, "train must be at least 1, got 0"),
        ({"side": 0}, "side must be at least 1, got 0"),
        ({"smallest": 0.9}, "0 < smallest < largest must hold, got 0.9, 0.85"),
        ({"smallest": 0.0}, "0 < smallest < largest must hold, got 0, 0.85"),
        (
            {"position": 0.2},
            "position must be positive and at most 1 − largest = 0.15, got 0.2: "
            "shapes would be cut off",
        ),
    ],
)
def test_refuses_in_one_line(settings, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Shapes(**settings)

    assert str(caught.value) == message
