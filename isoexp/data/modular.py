"""Modular arithmetic: the table of a binary operation, a part of it to learn from.

    (a, b)  ↦  a ∘ b mod p,    a, b = 0, …, p − 1,    ∘ = + or − or ×.

A sample is the two tokens a and b, one-hot: an input of shape (2, p). The question is whether a
network finds the rule behind the pairs it has seen, often long after it has learnt these by heart.
With + and ×, the pair (b, a) may be seen where (a, b) is asked for, as in the source.

Source: Power, Burda, Edwards, Babuschkin and Misra, Grokking: Generalization Beyond Overfitting
on Small Algorithmic Datasets (2022).
"""

__all__ = ["ModularArithmetic"]

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np

from .base import Source, Splits, cut, digest_arrays, one_hot

OPERATIONS = {"add": np.add, "subtract": np.subtract, "multiply": np.multiply}


@dataclass(frozen=True)
class ModularArithmetic(Source):
    """All pairs of numbers below a modulus, and their sum, difference or product.

    Arguments:
        modulus: The number p of tokens, and of classes.
        operation: The operation ∘.
        train: The share of the p² pairs to learn from; valid and test halve the rest.
        seed: The seed of the split; the networks have their own.
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
        x = one_hot(tokens, self.modulus)

        learnt, rest = self._sizes()
        parts = cut(x, y, learnt, rest // 2)

        return Splits(*parts, outputs=self.modulus, standardize=False)
