"""Tests for isoexp.data.base."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from isoexp.data import Split, Splits
from isoexp.data.base import carve, digest_arrays, digest_files, one_hot


def splits(x: np.ndarray) -> Splits:
    """Returns a set of which the first half of the samples is for training."""

    y = np.arange(len(x))
    half, rest = len(x) // 2, len(x) // 4

    return Splits(
        Split(x[:half], y[:half]),
        Split(x[half : half + rest], y[half : half + rest]),
        Split(x[half + rest :], y[half + rest :]),
        outputs=len(x),
    )


# --- standardisation ------------------------------------------------------------------------


def test_standardized_by_the_training_split_alone() -> None:
    rng = np.random.default_rng(0)
    x = (3 + 5 * rng.standard_normal((400, 2, 3))).astype(np.float32)
    x[200:] += 7  # validation and test lie elsewhere, and must stay there
    raw = splits(x)
    done = raw.standardized()

    # float32 is rounded once, after the means were taken in float64.
    eps = float(np.finfo(np.float32).eps)
    np.testing.assert_allclose(done.train.x.mean(axis=0, dtype=np.float64), 0, atol=eps)
    np.testing.assert_allclose(done.train.x.std(axis=0, dtype=np.float64), 1, atol=eps)
    assert abs(done.test.x.mean() - 7 / 5) < 0.2

    mean, std = raw.train.x.mean(axis=0), raw.train.x.std(axis=0)
    np.testing.assert_allclose(done.valid.x, (raw.valid.x - mean) / std, atol=1e-5)
    assert done.train.x.dtype == done.test.x.dtype == np.float32


def test_a_constant_feature_keeps_its_scale() -> None:
    x = np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32)
    x[:, 1] = np.float32(0.1)
    x[30:, 1] = 0.6
    done = splits(x).standardized()

    assert not done.train.x[:, 1].any()
    np.testing.assert_allclose(done.test.x[:, 1], 0.5, rtol=1e-6)
    assert np.isfinite(done.train.x).all()


def test_a_constant_is_known_by_its_values_not_by_a_rounded_variance() -> None:
    """The mean of three 0.1 is not 0.1 in float64: 0.6 would become 4e16 standard deviations."""

    part = Split(np.full((3, 1), 0.1), np.full((3, 1), 0.1))
    other = Split(np.full((3, 1), 0.6), np.full((3, 1), 0.6))
    done = Splits(part, other, other, outputs=1).standardized()

    assert not done.train.x.any()
    assert not done.train.y.any()
    np.testing.assert_allclose(done.test.x, 0.5, rtol=1e-6)
    np.testing.assert_allclose(done.test.y, 0.5, rtol=1e-15)
    assert done.units == (1.0,)


@pytest.mark.parametrize("shape", [(), (2,)])
def test_targets_are_standardized_by_the_training_split_alone(shape: tuple[int, ...]) -> None:
    """Each value by its own mean and unit; far from 0, too, where float32 has no digits left."""

    y = 1e9 + 7 * np.random.default_rng(0).standard_normal((40, *shape))
    x = np.zeros((20, 3), np.float32)
    raw = Splits(Split(x, y[:20]), Split(x, y[20:]), Split(x, y[20:] + 70), outputs=2)
    done = replace(raw, standardize=False).standardized()

    mean, std = y[:20].mean(axis=0), y[:20].std(axis=0)
    np.testing.assert_allclose(done.units, np.ravel(std))
    np.testing.assert_allclose(done.test.y, (y[20:] + 70 - mean) / std, rtol=1e-12)
    assert done.train.x is x


def test_standardized_leaves_the_original_and_the_classes() -> None:
    raw = splits(np.random.default_rng(0).standard_normal((40, 2)).astype(np.float32))
    before = raw.train.x.copy()
    done = raw.standardized()

    np.testing.assert_array_equal(raw.train.x, before)
    np.testing.assert_array_equal(done.test.y, raw.test.y)
    assert done.outputs == raw.outputs
    assert raw.inputs == done.inputs == (2,)


def test_what_is_not_to_be_standardized_stays() -> None:
    raw = replace(splits(one_hot(np.arange(40) % 5, 5)), standardize=False)

    assert raw.standardized() is raw
    assert replace(raw, standardize=True).standardized().train.x.min() < 0  # the control


# --- sequences ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("y", "answers"),
    [
        (np.zeros(8, dtype=np.int64), ()),
        (np.zeros((8, 5), dtype=np.int64), (5,)),
        (np.zeros((8, 5), dtype=np.float32), ()),
        (np.zeros(8, dtype=np.float32), ()),
    ],
    ids=["a class", "a class a step", "a vector", "a value"],
)
def test_answers_are_the_classes_asked_for_at_an_input(y: np.ndarray, answers) -> None:
    split = Split(np.zeros((8, 5, 3), dtype=np.float32), y)

    assert Splits(split, split, split, outputs=5).answers == answers


def test_one_hot_is_a_row_of_the_identity() -> None:
    tokens = np.asarray([[0, 2, 1], [2, 2, 0]])
    x = one_hot(tokens, 4)

    assert x.shape == (2, 3, 4)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(x.argmax(axis=-1), tokens)
    np.testing.assert_array_equal(np.sort(x, axis=-1), np.broadcast_to([0, 0, 0, 1], x.shape))


# --- splitting ------------------------------------------------------------------------------


def test_carve_deals_every_sample_once() -> None:
    y = np.arange(20)
    parts = carve(2 * y, y, 3, 5)

    assert [len(part.x) for part in parts] == [3, 5, 12]
    assert sorted(np.concatenate([part.y for part in parts])) == y.tolist()
    for part in parts:
        np.testing.assert_array_equal(part.x, 2 * part.y)


def test_carve_is_frozen() -> None:
    """Another dealing would leak samples between the splits of old and new runs."""

    y = np.arange(20)
    valid, test, _ = carve(y, y, 3, 5)

    assert valid.y.tolist() == [18, 1, 19]
    assert test.y.tolist() == [8, 10, 17, 6, 13]


def test_carve_leaves_the_global_generator_alone() -> None:
    np.random.seed(3)
    expected = np.random.rand()
    np.random.seed(3)
    carve(np.arange(9), np.arange(9), 2)

    assert np.random.rand() == expected


@pytest.mark.parametrize("sizes", [(20,), (10, 10), (50,)])
def test_carve_leaves_something_to_train_on(sizes: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match=f"take {sum(sizes)} samples, of 20 there are"):
        carve(np.arange(20), np.arange(20), *sizes)


# --- fingerprints ---------------------------------------------------------------------------


def write(folder: Path, **contents: bytes) -> list[Path]:
    folder.mkdir()
    for name, content in contents.items():
        (folder / name).write_bytes(content)

    return list(folder.iterdir())


def test_digest_is_of_names_and_contents_alone(tmp_path: Path) -> None:
    files = write(tmp_path / "a", x=b"1", y=b"2")
    digest = digest_files(files)

    assert digest == digest_files(files[::-1]), "the order counts"
    assert digest == digest_files(write(tmp_path / "b", x=b"1", y=b"2")), "the place counts"
    assert digest != digest_files(write(tmp_path / "c", x=b"1", y=b"3")), "no content counts"
    assert digest != digest_files(write(tmp_path / "d", x=b"1", z=b"2")), "no name counts"
    assert digest != digest_files(write(tmp_path / "e", x=b"2", y=b"1")), "who has which counts not"
    assert digest != digest_files(files[:1])


def test_digest_is_frozen(tmp_path: Path) -> None:
    assert digest_files(write(tmp_path / "a", x=b"1", y=b"2")) == "1cb8348f09f83b4d"


def test_digest_of_arrays_is_of_their_contents_in_order() -> None:
    a, b = np.arange(3), np.ones(2, dtype=np.float32)

    assert digest_arrays([a, b]) == digest_arrays([a.copy(), b.copy()])
    assert digest_arrays([a, b]) != digest_arrays([b, a])
    assert digest_arrays([a, b]) != digest_arrays([a + 1, b])
