"""Tests for isoexp.data.contract: what any data source must give."""

from copy import copy
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from isoexp import data
from isoexp.data import Factor, Source, Split, Splits, checked
from isoexp.data.base import carve_classes, one_hot

from ..properties import refusal

OUTPUTS = 3


def sound(sizes: tuple[int, int, int] = (12, 6, 6), **changes: Any) -> Splits:
    """Returns splits of three classes, each in turn."""

    rng = np.random.default_rng(0)
    parts = (Split(rng.standard_normal((n, 4)), np.arange(n) % OUTPUTS) for n in sizes)

    return replace(Splits(*parts, outputs=OUTPUTS), **changes)


def valued(values: int = 2, **changes: Any) -> Splits:
    """Returns splits of vector targets."""

    rng = np.random.default_rng(1)
    draw = lambda n: Split(rng.standard_normal((n, 4)), rng.standard_normal((n, values)))

    return replace(Splits(draw(12), draw(6), draw(6), outputs=values), **changes)


def given(made: Splits, **changes: Any) -> Splits:
    """Returns splits with fields of any type, as a user's own may have; tests alone check them."""

    changed = copy(made)
    for key, value in changes.items():
        object.__setattr__(changed, key, value)

    return changed


def put(array: np.ndarray, row: int, value: Any) -> np.ndarray:
    """Returns a copy with a value in a row."""

    changed = array.copy()
    changed[row] = value

    return changed


a, b = sound(), valued()
x, y = a.train
z = b.train.y

WRONG: dict[str, tuple[Any, str]] = {
    "no splits": ((x, y), "Mine.load() must return isoexp.data.Splits, got tuple"),
    "no outputs": (given(a, outputs=0), "outputs must be a whole number from 1 up, got 0"),
    "half an output": (given(a, outputs=2.5), "whole number from 1 up, got 2.5"),
    "no split": (given(a, valid=None), "valid split: it must be Split(x, y), got NoneType"),
    "a label too large": (
        given(a, test=Split(x, put(y, 5, 3))),
        "test split, row 5: classes must be from 0 to 2, as outputs=3 says, got 3",
    ),
    "a negative label": (given(a, train=Split(x, put(y, 7, -1))), "train split, row 7: classes"),
    "labels from 1": (given(a, train=Split(x, y + 1)), "train split, row 2: classes must be"),
    "one class": (given(a, train=Split(x, 0 * y)), "none of class 1"),
    "one output": (given(a, outputs=1), "outputs must be at least 2 for classes, got 1"),
    "a class without samples": (given(a, outputs=4), "got 12 samples and none of class 3"),
    "a class that is not trained": (
        given(a, train=Split(x[y < 2], y[y < 2])),
        "train split: it must hold samples of every class from 0 to 2",
    ),
    "strings": (
        given(a, train=Split(x, np.array(["cat", "dog", "cow"])[y])),
        "train split: targets must be an array of numbers, got <U3 such as 'cat': number the",
    ),
    "objects": (given(a, train=Split(x, put(y.astype(object), 0, None))), "got object such as"),
    "times": (given(a, train=Split(x.astype("M8[s]"), y)), "inputs must be an array of numbers"),
    "complex": (given(a, train=Split(x * 1j, y)), "inputs must be an array of numbers"),
    "ragged": (given(a, train=([[1.0], [1.0, 2.0]], y)), "inputs must be an array"),
    "more inputs": (given(a, valid=Split(x, y[:-1])), "valid split: there must be a target an"),
    "an empty split": (given(a, test=Split(x[:0], y[:0])), "test split: it must hold samples"),
    "no training": (given(a, train=Split(x[:0], y[:0])), "train split: it must hold samples"),
    "no shape": (given(a, train=Split(x[:, 0], y)), "must have a shape (samples, features)"),
    "no features": (given(a, train=Split(x[:, :0], y)), "must have a shape (samples, features)"),
    "another shape": (given(a, test=Split(x[:, :3], y)), "test split: inputs must be like those"),
    "another kind": (given(a, test=Split(x, y * 1.0)), "test split: targets must be like those"),
    "NaN": (given(a, test=Split(put(x, 3, np.nan), y)), "test split, row 3: inputs must be fin"),
    "infinity": (given(a, train=Split(put(x, 0, -np.inf), y)), "row 0: inputs must be finite"),
    "beyond float32": (given(a, train=Split(put(x, 2, 1e39), y)), "row 2: inputs must be fin"),
    "all alike": (given(a, train=Split(0 * x + x[0], y)), "inputs must vary, got 12"),
    "one-hot labels": (
        given(a, train=Split(x, np.eye(3, dtype=int)[y])),
        "y.argmax(1) of a one-hot",
    ),
    "a column of labels": (given(a, train=Split(x, y[:, None])), "y.ravel() of a column"),
    "NaN in a target": (given(b, valid=Split(x, put(z, 4, np.nan))), "valid split, row 4: targ"),
    "another number of values": (given(b, outputs=4), "targets have 2 values, outputs says 4"),
    "labels as floats": (given(a, train=Split(x, y * 1.0)), "classes must be integers"),
    "constant targets": (given(b, train=Split(x, 0 * z + 7)), "targets must vary, got [7.0, 7"),
    "a factor too short": (
        given(a, factors={"hue": Factor(np.arange(3.0))}),
        "test split: factor hue must have a value a sample",
    ),
    "a factor of NaN": (given(a, factors={"hue": Factor(np.full(6, np.nan))}), "the factor hue"),
}  # fmt: skip


@pytest.mark.parametrize("fault", WRONG)
def test_what_a_source_may_not_give_is_named(fault: str) -> None:
    made, message = WRONG[fault]
    line = refusal(lambda: checked(made, "Mine"))

    assert line.startswith("data: Mine"), line
    assert message in line
    assert "\n" not in line


def test_what_is_sound_is_taken_as_it_is() -> None:
    for made in (a, b, sound((3, 1, 1))):
        found = checked(made, "Mine")
        for own, other in zip(found.train, made.train, strict=True):
            np.testing.assert_array_equal(own, other)
    flat = given(valued(1), train=Split(x, z[:, 0]))
    assert checked(flat, "Mine").train.y.shape == (12, 1)


@pytest.mark.parametrize(
    "array",
    [
        x.tolist(), torch.from_numpy(x), x.astype(">f4"), x[::-1], x.astype(np.longdouble),
        x.astype(np.float16), (9 * x).astype(">i2"), (9 * x).astype(np.uint16), x > 0,
    ],
    ids=["list", "tensor", "big-endian", "backwards", "long", "half", "int", "uint", "bool"],
)  # fmt: skip
def test_arrays_of_any_kind_become_those_of_pytorch(array: Any) -> None:
    made = given(a, train=Split(array, y.astype(">i4")), valid=Split(x, y), test=Split(x, y))
    found = checked(made, "Mine").train

    assert torch.from_numpy(found.x).is_floating_point()
    np.testing.assert_array_equal(found.x, np.asarray(array))
    np.testing.assert_array_equal(torch.from_numpy(found.y).numpy(), y)


def test_a_vocabulary_may_be_larger_than_the_training_text() -> None:
    tokens = np.arange(20).reshape(4, 5) % 3
    part = Split(one_hot(tokens, 9), tokens)
    assert checked(Splits(part, part, part, outputs=9), "Mine")

    same = Split(part.x, 0 * tokens)
    assert "none of class 1" in refusal(lambda: checked(Splits(same, part, part, 9), "Mine"))


@pytest.mark.parametrize(
    "source",
    [
        data.Digits(), data.MNIST5k(), data.XOR(), data.Spheres(), data.Teacher(),
        data.Waveforms(), data.Shapes(), data.Shapes(target="factors"), data.Languages(),
        data.Languages(language="b"), data.ModularArithmetic(), data.Text(),
    ],
    ids=repr,
)  # fmt: skip
def test_what_the_package_brings_is_sound(source: Source) -> None:
    """And stays as it was."""

    made = source.load()
    found = checked(made, type(source).__name__)
    for split in ("train", "valid", "test"):
        for own, other in zip(getattr(found, split), getattr(made, split), strict=True):
            np.testing.assert_array_equal(own, other)


def test_a_small_class_of_pictures_is_trained_on(tmp_path: Path) -> None:
    """Of 60 and 1, shuffled together, the 1 fell where it fell."""

    rng = np.random.default_rng(0)
    for name, count in (("many", 60), ("one", 1)):
        (tmp_path / name).mkdir()
        for i in range(count):
            noise = rng.integers(256, size=(4, 4, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / name / f"{i}.png")
    splits = checked(data.ImageFolder(root=str(tmp_path), size=4).load(), "ImageFolder")

    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [37, 12, 12]
    assert sum(splits.train.y == 1) == 1


# --- splitting by class ---------------------------------------------------------------------


@pytest.mark.parametrize("counts", [(60, 1), (1, 1, 60), (2, 3), (5, 5), (4, 9, 100), (1,)])
@pytest.mark.parametrize("parts", [1, 2])
def test_every_class_is_trained_on(counts: tuple[int, ...], parts: int) -> None:
    """A fifth of each class in each of the others, one at the least; but one is left to train."""

    y = np.repeat(np.arange(len(counts)), counts)
    *held, train = carve_classes(np.arange(len(y)), y, parts)

    assert sorted(np.concatenate([train.x, *(part.x for part in held)])) == list(range(len(y)))
    for k, count in enumerate(counts):
        own = min(max(1, count // 5), (count - 1) // parts)
        assert [(part.y == k).sum() for part in held] == [own] * parts
        assert (train.y == k).sum() == count - parts * own > 0


def test_carving_by_class_is_frozen_and_shuffled() -> None:
    y = np.arange(20) % 2
    valid, test, train = carve_classes(np.arange(20), y, 2)

    assert valid.x.tolist() == [18, 1, 19, 8]
    assert test.x.tolist() == [10, 17, 6, 13]
    assert train.x.tolist() != sorted(train.x)
