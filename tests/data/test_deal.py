"""Tests for isoexp.data.deal: splits that a seed deals, and sets that are drawn anew or kept."""

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isoexp.data import (
    XOR,
    Digits,
    Languages,
    ModularArithmetic,
    Shapes,
    Spheres,
    Splits,
    Teacher,
    Text,
)  # fmt: skip
from isoexp.data.deal import PARTS, dealt, places, pool

DIGITS = Digits().load()


def counts(splits: Splits, at: dict[str, np.ndarray], name: str) -> list[int]:
    return np.bincount(pool(splits).y[at[name]], minlength=splits.outputs).tolist()


@pytest.mark.parametrize("splits", [DIGITS, ModularArithmetic(modulus=7).load()])
def test_parts_keep_their_sizes_and_the_counts_of_their_classes(splits: Splits) -> None:
    fixed, x, y = places(splits), *pool(splits)
    at = dealt(fixed, y, 3, published=False)

    assert np.array_equal(np.sort(np.concatenate(list(at.values()))), np.arange(len(x)))
    for name in PARTS:
        assert counts(splits, at, name) == counts(splits, fixed, name)
        assert np.array_equal(x[fixed[name]], getattr(splits, name).x)
        assert not np.array_equal(at[name], fixed[name])


def test_a_deal_is_of_the_seed() -> None:
    """The same for all arms of a seed; no two seeds test on the same samples."""

    y, fixed = pool(DIGITS).y, places(DIGITS)
    tested = [set(dealt(fixed, y, seed, False)["test"].tolist()) for seed in (0, 1, 2, 0)]

    assert tested[0] == tested[3]
    shared = [len(a & b) / 360 for a, b in itertools.pairwise(tested)]
    # A fifth of the pool meets a fifth of it: hypergeometric, 0.2 ± 0.019.
    assert all(abs(each - 360 / 1797) < 5 * 0.019 for each in shared)


def test_a_deal_is_frozen() -> None:
    """Another one would change what runs of before were tested on."""

    y = np.arange(20) % 2
    at = dealt(
        {"train": np.arange(10), "valid": np.arange(10, 14), "test": np.arange(14, 20)}, y, 1, False
    )

    assert at["test"].tolist() == [0, 9, 14, 16, 17, 19]


def test_every_sample_is_dealt_to_every_part_as_often() -> None:
    y, fixed = (
        np.zeros(10, int),
        {"train": np.arange(6), "valid": np.arange(6, 8), "test": np.arange(8, 10)},
    )
    found = np.zeros(10)
    for seed in range(2000):
        found[dealt(fixed, y, seed, False)["test"]] += 1

    assert abs(found / 2000 - 0.2).max() < 5 * np.sqrt(0.2 * 0.8 / 2000)


def test_a_published_test_part_is_kept() -> None:
    y, fixed = pool(DIGITS).y, places(DIGITS)
    at = dealt(fixed, y, 0, published=True)

    assert np.array_equal(at["test"], fixed["test"])
    assert not np.array_equal(at["valid"], fixed["valid"])
    assert counts(DIGITS, at, "valid") == counts(DIGITS, fixed, "valid")


@pytest.mark.parametrize(
    "y", [np.arange(40.0)[:, None], np.zeros((40, 5), int)], ids=["values", "steps"]
)
def test_targets_that_are_no_class_a_sample_are_dealt_at_random(y: np.ndarray) -> None:
    fixed = {"train": np.arange(20), "valid": np.arange(20, 30), "test": np.arange(30, 40)}
    at = dealt(fixed, y, 0, published=False)

    assert [len(at[name]) for name in PARTS] == [20, 10, 10]
    assert np.array_equal(np.sort(np.concatenate(list(at.values()))), np.arange(40))


SIZES: Any = {"train": 30, "valid": 8, "test": 8}


@pytest.mark.parametrize(
    "source",
    [Spheres(**SIZES), XOR(**SIZES, basis="random"), Teacher(**SIZES), Shapes(**SIZES)],
    ids=lambda s: type(s).__name__,
)
def test_generated_sets_are_drawn_anew(source: Any) -> None:
    """From both seeds; as the fixed set is, its factors among it."""

    a, again, b = (source.redrawn(seed) for seed in (0, 0, 1))
    other = replace(source, seed=5).redrawn(0)

    assert np.array_equal(a.test.x, again.test.x)
    for unlike in (b, other, source.load()):
        assert not np.isin(unlike.test.x, a.test.x[a.test.x > 0]).all()
        assert [len(getattr(unlike, name).x) for name in PARTS] == list(SIZES.values())
    for name, factor in a.factors.items():
        assert not np.array_equal(factor.values, b.factors[name].values)


def test_languages_keep_their_grammar_and_their_parallel_text() -> None:
    a, b = (Languages(language=each, words=6, train=8, valid=4, test=4) for each in ("a", "b"))
    one, other = a.redrawn(3), b.redrawn(3)
    token = a.dictionary()

    words = one.test.x.argmax(-1)
    assert np.array_equal(token[1][words], other.test.x.argmax(-1))
    assert not np.array_equal(one.test.y, a.redrawn(4).test.y)
    assert not np.array_equal(one.train.y, a.load().train.y)


def test_windows_of_a_text_are_not_dealt() -> None:
    with pytest.raises(ValueError, match="split=seed cannot be: neighbouring windows"):
        Text().redrawn(0)
