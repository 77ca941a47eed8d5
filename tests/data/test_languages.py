"""Tests for Languages of isoexp.data.tokens."""

from dataclasses import replace
from functools import cache
from itertools import combinations
from math import sqrt

import numpy as np
import pytest

from isoexp.data import Languages, Split, Splits

SMALL = Languages(words=8, length=5, train=60, valid=20, test=400)


@cache
def load(language: str = "a") -> Splits:
    return replace(Languages(), language=language).load()


def tokens(split: Split) -> np.ndarray:
    """The sentences of a split, the last answer included."""

    return np.concatenate([split.x.argmax(axis=2), split.y[:, -1:]], axis=1)


def translated(sentences: np.ndarray, source: Languages) -> np.ndarray:
    """Sentences of language a, in language b."""

    return source.dictionary()[1][sentences]


# --- form -----------------------------------------------------------------------------------


@pytest.mark.parametrize("language", ["a", "b"])
def test_sizes_shapes_and_types(language: str) -> None:
    splits = load(language)

    assert splits.inputs == (16, 128)
    assert splits.outputs == 128
    assert splits.answers == (16,)
    assert splits.standardized() is splits
    assert [len(s.x) for s in (splits.train, splits.valid, splits.test)] == [4000, 500, 500]
    for split in (splits.train, splits.valid, splits.test):
        assert split.x.dtype == np.float32
        assert split.y.dtype == np.int64
        assert set(np.unique(split.x)) == {0, 1}
        np.testing.assert_array_equal(split.x.sum(axis=2), 1)
        np.testing.assert_array_equal(split.y[:, :-1], split.x.argmax(axis=2)[:, 1:])


def test_the_languages_share_no_token() -> None:
    a, b = (set(tokens(load(language).train).flatten().tolist()) for language in "ab")

    assert a <= set(range(64))
    assert b <= set(range(64, 128))


def test_the_dictionary_is_one_to_one() -> None:
    a, b = Languages().dictionary()

    assert sorted(a.tolist()) == list(range(64))
    assert sorted(b.tolist()) == list(range(64, 128))
    assert not np.array_equal(b - 64, a), "the order of the tokens gives it away"


def test_the_test_split_is_a_parallel_text() -> None:
    a, b = (tokens(load(language).test) for language in "ab")

    np.testing.assert_array_equal(b, translated(a, Languages()))


def test_what_is_learnt_from_is_not() -> None:
    """The control: no line of one language is said in the other, beyond the chance of it."""

    for name in ("train", "valid"):
        a, b = (tokens(getattr(load(language), name)) for language in "ab")
        same = (translated(a, Languages()) == b).all(axis=1)
        assert not same.any()
        lines = set(map(tuple, translated(a, Languages()).tolist()))
        assert not lines & set(map(tuple, b.tolist()))


# --- grammar --------------------------------------------------------------------------------


@pytest.mark.parametrize("strength", [0.0, 1.0, 5.0])
@pytest.mark.parametrize("words", [2, 9, 64])
def test_words_are_as_frequent_as_zipf_has_it_for_ever(words: int, strength: float) -> None:
    """π P = π with π_i ∝ 1/(i + 1): the chain is stationary, whatever goes with what."""

    source = replace(SMALL, words=words, strength=strength)
    pi, P = source.frequencies(), source.transitions()

    np.testing.assert_allclose(pi * np.arange(1, words + 1), pi[0])
    np.testing.assert_allclose(P.sum(axis=1), 1)
    np.testing.assert_allclose(pi @ P, pi, atol=1e-9)


def test_without_strength_words_do_not_go_together() -> None:
    source = replace(SMALL, strength=0.0)

    np.testing.assert_allclose(source.transitions(), np.tile(source.frequencies(), (8, 1)))


def test_with_strength_they_do_by_d_meanings() -> None:
    """log P_ij = log r_i + β u_i·v_j/√d + log c_j: doubly centred it has rank d, and scales by β.

    The control: log P itself has not.
    """

    def centred(strength: float) -> np.ndarray:
        L = np.log(Languages(meanings=3, strength=strength).transitions())
        return L - L.mean(axis=0) - L.mean(axis=1, keepdims=True) + L.mean()

    one, two = centred(1.0), centred(2.0)
    spectrum = np.linalg.svd(one, compute_uv=False)

    assert np.linalg.matrix_rank(one, tol=1e-9 * spectrum[0]) == 3
    np.testing.assert_allclose(two, 2 * one, atol=1e-9)
    whole = np.log(Languages(meanings=3, strength=1.0).transitions())
    assert np.linalg.matrix_rank(whole, tol=1e-9 * spectrum[0]) > 3


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("place", [0, 4])
def test_pairs_of_words_come_as_often_as_they_should(place: int, seed: int) -> None:
    """At any place of a sentence: G² of the 8 × 8 table is χ² with at most 63 degrees of freedom.

    Its 1 − 1e-6 quantile is 132: the table is not merged, as it would be for a finer test.
    """

    source = replace(SMALL, train=4000, seed=seed)
    x = tokens(source.load().train)
    joint = source.frequencies()[:, None] * source.transitions()

    counts = np.zeros((8, 8))
    np.add.at(counts, (x[:, place], x[:, place + 1]), 1)
    seen = counts > 0
    G2 = 2 * (counts[seen] * np.log(counts[seen] / (len(x) * joint[seen]))).sum()

    assert G2 < 132


def test_a_word_hangs_on_the_last_one_alone() -> None:
    """Sentences shuffled in time lose what pairs them: the control of the test above."""

    source = replace(SMALL, train=4000)
    x = tokens(source.load().train)
    shuffled = np.random.default_rng(0).permuted(x, axis=1)
    P = source.transitions()
    likelihood = lambda s: np.log(P[s[:, :-1], s[:, 1:]]).mean()
    entropy = (source.frequencies()[:, None] * P * np.log(P)).sum()
    error = 5 * np.log(P).std() / sqrt(x[:, 1:].size / 5)

    assert abs(likelihood(x) - entropy) < error
    assert likelihood(shuffled) < entropy - error


# --- identity -------------------------------------------------------------------------------


def test_what_is_drawn_follows_settings_alone() -> None:
    again = SMALL.load()

    for split in ("train", "valid", "test"):
        np.testing.assert_array_equal(getattr(SMALL.load(), split).y, getattr(again, split).y)
    assert SMALL.fingerprint() == replace(SMALL).fingerprint()


def test_fingerprints_tell_settings_apart() -> None:
    others = [
        SMALL,
        *(replace(SMALL, **{key: getattr(SMALL, key) + 1}) for key in ("words", "length", "train")),
        *(replace(SMALL, **{key: getattr(SMALL, key) + 1}) for key in ("valid", "test", "seed")),
        replace(SMALL, language="b"),
        replace(SMALL, meanings=3),
        replace(SMALL, strength=1.0),
    ]

    for a, b in combinations(others, 2):
        assert a.fingerprint() != b.fingerprint(), (a, b)


def test_the_size_of_one_split_moves_no_other() -> None:
    more = replace(SMALL, train=90, valid=5)

    np.testing.assert_array_equal(more.load().test.y, SMALL.load().test.y)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"words": 1}, "words must be at least 2, got 1"),
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"train": 0}, "train must be at least 1, got 0"),
        ({"meanings": 0}, "meanings must be at least 1, got 0"),
        ({"strength": -1.0}, "strength must be from 0 to 10, got -1"),
        ({"strength": float("nan")}, "strength must be from 0 to 10, got nan"),
        ({"seed": -1}, "seed must not be negative, got -1"),
    ],
)
def test_refuses_in_one_line(settings: dict, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Languages(**settings)

    assert str(caught.value) == message


def test_refuses_a_language_that_there_is_not() -> None:
    """Set behind the annotation's back, which the tests check before the class can."""

    source = Languages()
    object.__setattr__(source, "language", "c")

    with pytest.raises(ValueError, match="must be a or b, got c"):
        source.__post_init__()
