"""Tests for ModularArithmetic of isoexp.data.tokens."""

import operator
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from isoexp.data import ModularArithmetic, Split, Splits

RULES = {"add": operator.add, "subtract": operator.sub, "multiply": operator.mul}

each = pytest.mark.parametrize("operation", RULES)


def parts(splits: Splits) -> tuple[Split, Split, Split]:
    return splits.train, splits.valid, splits.test


def pairs(split: Split) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in split.x.argmax(axis=2)]


@each
@pytest.mark.parametrize("p", [2, 7, 12])
def test_answers_are_those_of_brute_force(operation, p: int) -> None:
    """Over the whole table: every pair is in one split, none in two."""

    splits = ModularArithmetic(modulus=p, operation=operation, train=0.5).load()
    seen = [pair for part in parts(splits) for pair in pairs(part)]

    assert sorted(seen) == [(a, b) for a in range(p) for b in range(p)]
    for part in parts(splits):
        assert part.y.tolist() == [RULES[operation](a, b) % p for a, b in pairs(part)]


def test_tokens_are_one_hot_and_stay_so() -> None:
    splits = ModularArithmetic(modulus=11).load()

    assert splits.inputs == (2, 11)
    assert splits.outputs == 11
    assert splits.answers == ()
    assert splits.standardized() is splits
    for part in parts(splits):
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        assert set(part.x.flatten()) == {0, 1}
        np.testing.assert_array_equal(part.x.sum(axis=2), 1)


@pytest.mark.parametrize(
    ("train", "sizes"),
    [(0.6, (60, 20, 20)), (0.5, (50, 25, 25)), (0.01, (1, 49, 50)), (0.98, (98, 1, 1))],
)
def test_shares(train: float, sizes: tuple[int, ...]) -> None:
    splits = ModularArithmetic(modulus=10, train=train).load()

    assert tuple(len(part.x) for part in parts(splits)) == sizes


@pytest.mark.parametrize("operation", ["add", "subtract"])
def test_classes_of_the_table_are_balanced(operation) -> None:
    y = np.concatenate([part.y for part in parts(ModularArithmetic(13, operation).load())])

    assert np.bincount(y).tolist() == [13] * 13


def test_classes_of_the_products_are_not() -> None:
    """The control: of the p² products of a prime, 2p − 1 are zero and p − 1 each other number."""

    y = np.concatenate([part.y for part in parts(ModularArithmetic(13, "multiply").load())])

    assert np.bincount(y).tolist() == [25] + [12] * 12


def test_the_split_follows_the_seed_alone() -> None:
    source = ModularArithmetic(modulus=7)
    a, b, c = (pairs(s.load().train) for s in (source, replace(source), replace(source, seed=1)))

    assert a == b != c
    assert a == pairs(replace(source, operation="multiply").load().train)


def test_the_split_is_frozen() -> None:
    """Another one would leak pairs between the splits of old and new runs."""

    assert pairs(ModularArithmetic(modulus=3, train=0.5).load().train) == [
        (2, 1),
        (0, 2),
        (0, 1),
        (1, 1),
    ]
    assert ModularArithmetic().fingerprint() == "83dd92e928a1121a"


def test_fingerprints_tell_settings_apart() -> None:
    source = ModularArithmetic(modulus=7)
    others = [
        source,
        replace(source, modulus=8),
        replace(source, operation="subtract"),
        replace(source, train=0.5),
        replace(source, seed=1),
    ]

    assert source.fingerprint() == ModularArithmetic(modulus=7).fingerprint()
    for a, b in combinations(others, 2):
        assert a.fingerprint() != b.fingerprint(), (a, b)


@pytest.mark.parametrize("operation", ["add", "subtract"])
def test_the_rule_can_be_learnt_from_its_waves(operation) -> None:
    """In the features cos 2πk(a ± b)/p, sin 2πk(a ± b)/p, unseen sums are nearest to seen ones.

    The control is the table itself: the one-hot tokens taken apart tell nothing of an unseen sum.
    """

    from sklearn.linear_model import RidgeClassifier

    p = 13
    splits = ModularArithmetic(p, operation).load()
    sign = 1 if operation == "add" else -1

    def waves(x: np.ndarray) -> np.ndarray:
        a, b = x.argmax(axis=2).T
        angle = 2 * np.pi * np.outer(a + sign * b, np.arange(1, 7)) / p

        return np.concatenate([np.cos(angle), np.sin(angle)], axis=1)

    def score(features) -> float:
        fitted = RidgeClassifier().fit(features(splits.train.x), splits.train.y)

        return float(fitted.score(features(splits.test.x), splits.test.y))

    assert score(waves) == 1
    assert score(lambda x: x.reshape(len(x), -1)) < 0.3


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"modulus": 1}, "modulus must be from 2 to 256, got 1"),
        ({"modulus": 257}, "modulus must be from 2 to 256, got 257"),
        ({"train": 0.0}, "train must be between 0 and 1, a share, got 0"),
        ({"train": 1.0}, "train must be between 0 and 1, a share, got 1"),
        ({"train": float("nan")}, "train must be between 0 and 1, a share, got nan"),
        ({"modulus": 2, "train": 0.9}, "train must leave a pair to each split, got 0.9 of 4"),
        ({"modulus": 2, "train": 0.1}, "train must leave a pair to each split, got 0.1 of 4"),
        ({"seed": -1}, "seed must be from 0 to 2³² − 1, got -1"),
    ],
)
def test_refuses_in_one_line(settings, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        ModularArithmetic(**settings)

    assert str(caught.value) == message


def test_refuses_an_operation_that_it_does_not_know() -> None:
    """Set behind the annotation's back, which the tests check before the class can."""

    source = ModularArithmetic()
    object.__setattr__(source, "operation", "divide")

    with pytest.raises(ValueError, match="one of add, subtract, multiply, got divide"):
        source.__post_init__()
