"""Tests for Waveforms of isoexp.data.synthetic."""

import subprocess
import sys
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from scipy import signal

from isoexp.data import Splits, Waveforms
from isoexp.data.synthetic import sawtooth, sine, square

SINE, SQUARE, SAWTOOTH, CHIRP = range(4)


@cache
def load() -> Splits:
    return Waveforms().load()


def whole(source: Waveforms) -> tuple[np.ndarray, np.ndarray]:
    splits = source.load()
    parts = (splits.train, splits.valid, splits.test)

    return np.concatenate([p.x for p in parts])[..., 0], np.concatenate([p.y for p in parts])


def test_sizes_shapes_and_types() -> None:
    splits = replace(Waveforms(), train=50, valid=20, test=30, length=40).load()

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [50, 20, 30]
    assert splits.inputs == (40, 1)
    assert splits.outputs == 4
    assert splits.answers == ()
    assert splits.train.x.dtype == np.float32
    assert splits.train.y.dtype == np.int64


def test_waves_are_those_of_scipy_at_power_one() -> None:
    """Away from the jumps, whose side is a matter of rounding."""

    u = np.linspace(-2, 3, 12_345)[None]
    smooth = abs(2 * u - np.round(2 * u)) > 1e-6

    for wave, known in (
        (square, signal.square(2 * np.pi * u)),
        (sawtooth, 3**0.5 * signal.sawtooth(2 * np.pi * u)),
        (sine, 2**0.5 * np.sin(2 * np.pi * u)),
    ):
        np.testing.assert_allclose(wave(u)[smooth], known[smooth], atol=1e-9)
        # A sum over a jump is off by at most its height times the spacing.
        assert np.mean(wave(u) ** 2) == pytest.approx(1, abs=4 * 5 / 12_345)


def test_without_noise_and_chance_a_chirp_is_scipys() -> None:
    source = Waveforms(noise=0.0, slowest=3.0, fastest=3.0, spread=0.0, train=200)
    x, y = whole(source)
    t = np.arange(64) / 64

    # Its phase is the one thing left to chance: a combination of two fits it.
    phases = [signal.chirp(t, f0=3, t1=1, f1=9, phi=phi) for phi in (0, -90)]
    design = np.stack(phases, axis=1)
    chirps = x[y == CHIRP].T.astype(np.float64)
    weights, *_ = np.linalg.lstsq(design, chirps, rcond=None)

    np.testing.assert_allclose(design @ weights, chirps, atol=1e-5)
    np.testing.assert_allclose((weights**2).sum(axis=0), 2, rtol=1e-5)
    others, *_ = np.linalg.lstsq(design, x[y == SINE].T, rcond=None)
    assert abs(design @ others - x[y == SINE].T).max() > 1  # the control


def test_classes_are_balanced_and_of_one_power() -> None:
    x, y = whole(Waveforms(train=20_000))

    # Five standard errors of a share of a quarter.
    np.testing.assert_allclose(np.bincount(y) / len(y), 0.25, atol=5 * 0.433 / 22_000**0.5)
    # E A² + s² = 1 + spread²/3 + s²; A² alone varies by 0.6 from series to series.
    powers = [np.mean(x[y == k].astype(np.float64) ** 2) for k in range(4)]
    np.testing.assert_allclose(powers, 1 + 0.25 / 3 + 0.09, atol=5 * 0.6 / 5500**0.5)


def test_no_linear_map_tells_the_classes_but_their_shapes_do() -> None:
    """The control beside the task: sorted values and spectrum, which know no phase, are enough."""

    from sklearn.linear_model import RidgeClassifier

    splits = load()

    def score(features) -> float:
        fitted = RidgeClassifier().fit(features(splits.train.x[..., 0]), splits.train.y)

        return float(fitted.score(features(splits.test.x[..., 0]), splits.test.y))

    shape = lambda x: np.concatenate([np.sort(x, axis=1), abs(np.fft.rfft(x))], axis=1)
    assert score(lambda x: x) < 0.33
    assert score(shape) > 0.85


def test_standardizing_leaves_it_alone() -> None:
    assert load().standardized() is load()


def test_a_set_is_a_function_of_its_settings() -> None:
    source = Waveforms(train=100)
    before = source.fingerprint()

    assert before == Waveforms(train=100).fingerprint()
    for setting, value in {
        "seed": 1, "train": 101, "length": 65, "noise": 0.4, "slowest": 1.0, "fastest": 6.0,
        "spread": 0.4,
    }.items():  # fmt: skip
        assert replace(source, **{setting: value}).fingerprint() != before, setting


def test_another_process_draws_alike() -> None:
    code = "from isoexp.data import Waveforms; print(Waveforms(train=100).fingerprint())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == Waveforms(train=100).fingerprint(), done.stderr


def test_leaves_the_global_generator_alone() -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    Waveforms(train=10).load()

    assert np.random.rand() == expected


def test_no_series_is_in_two_splits() -> None:
    splits = load()
    seen = [{x.tobytes() for x in s.x} for s in (splits.train, splits.valid, splits.test)]

    assert len(set.union(*seen)) == 6000


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"train": 0}, "train must be at least 1, got 0"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"noise": -0.1}, "noise must not be negative, got -0.1"),
        ({"noise": float("nan")}, "noise must not be negative, got nan"),
        ({"slowest": 0.0}, "slowest must be positive and at most fastest = 5, got 0"),
        ({"slowest": 6.0}, "slowest must be positive and at most fastest = 5, got 6"),
        ({"spread": 1.0}, "spread must be at least 0 and below 1, got 1"),
        (
            {"fastest": 12.0},
            "fastest must be at most length / 6 = 10.6667, got 12: "
            "a chirp ends at 3 times that, and needs 2 time steps a period",
        ),
    ],
)
def test_refuses_in_one_line(settings, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Waveforms(**settings)

    assert str(caught.value) == message
