"""Two languages with one grammar and no word in common; the target of each step is the next word.

Words i = 0, …, V − 1 follow one another as a stationary Markov chain,

    P(w_t = i, w_{t+1} = j) = r_i exp(β u_i·v_j / √d) c_j,    u_i, v_j ~ N(0, I) in R^d,

with the r and c that make word i as frequent in both places as Zipf would have it, π_i ∝ 1/(i + 1).
A sentence is written in tokens, language a with those below V, language b with the others:

    token_a(i) = i,    token_b(i) = V + τ(i),    τ a permutation, the dictionary.

Each language has training and validation sentences of its own. The test split is the same in both,
word for word: a parallel text, by which a translation can be judged.
"""

__all__ = ["Languages"]

from dataclasses import dataclass
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from .base import Source, Split, Splits, digest_arrays, one_hot

LANGUAGES = ("a", "b")


@dataclass(frozen=True)
class Languages(Source):
    """Sentences of T words in one of two languages, and the next word at each.

    Arguments:
        language: The language that the sentences are written in.
        words: The number V of words of a language; there are 2V tokens.
        meanings: The dimension d of the vectors that decide which words go together.
        strength: β, the standard deviation of the log-odds that they give.
        length: The number T of words in a sentence.
        train: The number of training sentences.
        valid: The number of validation sentences.
        test: The number of test sentences.
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
        made = [self._sentences(split) for split in ("train", "valid", "test")]

        return digest_arrays([self.dictionary(), *made])

    def load(self) -> Splits:
        tokens = self.dictionary()[LANGUAGES.index(self.language)]

        def split(name: str) -> Split:
            sentences = tokens[self._sentences(name)]

            return Split(one_hot(sentences[:, :-1], 2 * self.words), sentences[:, 1:])

        parts = map(split, ("train", "valid", "test"))

        return Splits(*parts, outputs=2 * self.words, standardize=False)

    def _rng(self, *name: str) -> np.random.Generator:
        """Returns the generator of one part, whatever the other parts have drawn."""

        return np.random.default_rng([self.seed, *"/".join(name).encode()])

    def _sentences(self, split: str) -> Int[np.ndarray, "sentences steps"]:
        """Draws the T + 1 words of the sentences of a split."""

        # The test split is a parallel text, drawn without regard to the language.
        rng = self._rng(split) if split == "test" else self._rng(split, self.language)
        count = getattr(self, split)
        start, step = np.cumsum(self.frequencies()), np.cumsum(self.transitions(), axis=1)
        start[-1] = step[:, -1] = 1  # not a rounding error below it

        words = [np.searchsorted(start, rng.random(count), side="right")]
        for _ in range(self.length):
            words.append((step[words[-1]] <= rng.random((count, 1))).sum(axis=1))

        return np.stack(words, axis=1)
