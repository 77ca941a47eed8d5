"""Sequences of tokens that follow a rule: a table of arithmetic, two languages with one grammar."""

__all__ = ["Languages", "ModularArithmetic"]

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
from jaxtyping import Float, Int

from .base import Source, Split, Splits, cut, digest_arrays, one_hot

OPERATIONS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}

LANGUAGES = ("a", "b")

SPLITS = ("train", "valid", "test")


@dataclass(frozen=True)
class ModularArithmetic(Source):
    """All pairs of numbers below a modulus, and their sum, difference or product: a table.

        (a, b)  ↦  a ∘ b mod p,    a, b = 0, …, p − 1,    ∘ = + or − or ×.

    A sample is the two tokens a and b, one-hot: an input of shape (2, p). The question is whether a
    network finds the rule behind the pairs it has seen, often long after it has learnt these by
    heart. With + and ×, the pair (b, a) may be seen where (a, b) is asked for, as in the source.

    Arguments:
        modulus: The number p of tokens, and of classes.
        train: The share of the p² pairs to learn from; valid and test halve the rest.
        seed: The seed of the split; the networks have their own.

    Source: Power, Burda, Edwards, Babuschkin and Misra, Grokking: Generalization Beyond Overfitting
    on Small Algorithmic Datasets (2022).
    """

    modulus: int = 59
    operation: Literal["add", "subtract", "multiply"] = "add"
    train: float = 0.6
    seed: int = 0

    LARGEST: ClassVar[int] = 256
    """The largest modulus: its one-hot table takes 2p³ numbers, 134 MB."""

    def __post_init__(self) -> None:
        if not 2 <= self.modulus <= self.LARGEST:
            raise ValueError(f"modulus must be from 2 to {self.LARGEST}, got {self.modulus}")
        if self.operation not in OPERATIONS:
            raise ValueError(
                f"operation must be one of {', '.join(OPERATIONS)}, got {self.operation}"
            )
        if not 0 < self.train < 1:
            raise ValueError(f"train must be between 0 and 1, a share, got {self.train:g}")
        if not 0 <= self.seed < 2**32:
            raise ValueError(f"seed must be from 0 to 2³² − 1, got {self.seed}")

        learnt, rest = self._sizes()
        if learnt < 1 or rest < 2:
            raise ValueError(
                f"train must leave a pair to each split, got {self.train:g} of {self.modulus**2}"
            )

    def _sizes(self) -> tuple[int, int]:
        pairs = self.modulus**2
        learnt = round(self.train * pairs)

        return learnt, pairs - learnt

    def _table(self) -> tuple[np.ndarray, np.ndarray]:
        """Returns all pairs in the order of the splits, and their answers."""

        # RandomState's streams are frozen by NumPy's policy: the splits outlive its versions.
        order = np.random.RandomState(self.seed).permutation(self.modulus**2)
        a, b = np.divmod(order, self.modulus)
        y = OPERATIONS[self.operation](a, b) % self.modulus

        return np.stack([a, b], axis=1), y.astype(np.int64)

    def fingerprint(self) -> str:
        learnt, rest = self._sizes()

        return digest_arrays([*self._table(), np.asarray([learnt, rest])])

    def load(self) -> Splits:
        tokens, y = self._table()
        learnt, rest = self._sizes()
        parts = cut(one_hot(tokens, self.modulus), y, learnt, rest // 2)

        return Splits(*parts, outputs=self.modulus, standardize=False)


@dataclass(frozen=True)
class Languages(Source):
    """Sentences in one of two languages, of one grammar and no common word, and each next word.

    Words i = 0, …, V − 1 follow one another as a stationary Markov chain,

        P(w_t = i, w_{t+1} = j) = r_i exp(β u_i·v_j / √d) c_j,    u_i, v_j ~ N(0, I) in R^d,

    with the r and c that make word i as frequent in both places as Zipf would have it,
    π_i ∝ 1/(i + 1). A sentence is written in tokens, language a with those below V, language b with
    the others:

        token_a(i) = i,    token_b(i) = V + τ(i),    τ a permutation, the dictionary.

    Each language has training and validation sentences of its own. The test split is the same in
    both, word for word: a parallel text, by which a translation can be judged.

    Arguments:
        words: The number V of words of a language; there are 2V tokens.
        meanings: The dimension d of the vectors that decide which words go together.
        strength: β, the standard deviation of the log-odds that they give.
        length: The number T of words in a sentence.
        seed: The seed of grammar, dictionary and sentences; the networks have their own.
    """

    language: Literal["a", "b"] = "a"
    words: int = 64
    meanings: int = 8
    strength: float = 2.0
    length: int = 16
    train: int = 4000
    valid: int = 500
    test: int = 500
    seed: int = 0

    def __post_init__(self) -> None:
        self.require_at_least(1, "meanings", "length", "train", "valid", "test")
        self.require_choice("language", LANGUAGES)
        self.require_at_least(2, "words")
        self.require_at_least(0, "seed")

        if not 0 <= self.strength <= 10:
            raise ValueError(f"strength must be from 0 to 10, got {self.strength:g}")

    def frequencies(self) -> Float[np.ndarray, " words"]:
        """Returns π, the share of each word."""

        weights = 1 / np.arange(1, self.words + 1)

        return weights / weights.sum()

    def transitions(self) -> Float[np.ndarray, "words words"]:
        """Returns P(w_{t+1} = j | w_t = i), a row for each i."""

        u, v = self._rng("grammar").standard_normal((2, self.words, self.meanings))
        weights = np.exp(self.strength * u @ v.T / self.meanings**0.5)
        pi = self.frequencies()

        # Sinkhorn's iteration: rows and columns are scaled in turn to their sums.
        r = c = np.ones(self.words)
        for _ in range(1000):
            r = pi / (weights @ c)
            c = pi / (weights.T @ r)
        joint = r[:, None] * weights * c

        return joint / joint.sum(axis=1, keepdims=True)

    def dictionary(self) -> Int[np.ndarray, "2 words"]:
        """Returns the token of each word, in language a and in language b."""

        order = self._rng("dictionary").permutation(self.words)

        return np.stack([np.arange(self.words), self.words + order])

    def fingerprint(self) -> str:
        return digest_arrays([self.dictionary(), *map(self._sentences, SPLITS)])

    def load(self) -> Splits:
        return self._written(*map(self._sentences, SPLITS))

    def redrawn(self, seed: int) -> Splits:
        """Draws other sentences of the same grammar: parallel text for the languages of a seed."""

        return self._written(*(self._sentences(split, f"seed {seed}") for split in SPLITS))

    def _written(self, *sentences: np.ndarray) -> Splits:
        tokens, outputs = self.dictionary()[LANGUAGES.index(self.language)], 2 * self.words
        parts = [tokens[own] for own in sentences]
        splits = (Split(one_hot(part[:, :-1], outputs), part[:, 1:]) for part in parts)

        return Splits(*splits, outputs=outputs, standardize=False)

    def _rng(self, *name: str) -> np.random.Generator:
        return np.random.default_rng([self.seed, *"/".join(name).encode()])

    def _sentences(self, split: str, *name: str) -> Int[np.ndarray, "sentences steps"]:
        """Draws the T + 1 words of the sentences of a split."""

        # The test split is a parallel text, drawn without regard to the language.
        rng = self._rng(split, *(() if split == "test" else (self.language,)), *name)
        count = getattr(self, split)
        start, step = np.cumsum(self.frequencies()), np.cumsum(self.transitions(), axis=1)
        start[-1] = step[:, -1] = 1  # not a rounding error below it

        words = [np.searchsorted(start, rng.random(count), side="right")]
        for _ in range(self.length):
            words.append((step[words[-1]] <= rng.random((count, 1))).sum(axis=1))

        return np.stack(words, axis=1)
