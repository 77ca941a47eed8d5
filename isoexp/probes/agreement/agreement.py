"""Agreement: whether two networks trained apart embed the same things alike, up to a map,

    residual = min ‖A − s B Q‖² / ‖A‖²,    Q in O(n), or a (signed) permutation of coordinates,

with the embeddings of the same things in the rows of A and B, each centred. Where nothing singles
out a basis two networks should differ by a rotation, and where activations act elementwise by a
permutation at most: a map of neurons must then do better than after a random turn of the twin.

Without their basis languages should be alike as well, so that words are told from their geometry
alone (Bird 2025, App. F.2): which word is which is recovered without a pair that is known.
"""

__all__ = ["Agreement"]

from dataclasses import dataclass
from math import nan
from typing import ClassVar, Literal

import torch
from jaxtyping import Float
from torch import Tensor

from ...store.tables import Rows, Schema
from ..subject import Subject, Unsuitable
from .correspondence import Measures, compared, translated
from .words import Tokens, WordEmbedding, word_embedding


@dataclass(frozen=True)
class Agreement:
    """Compares what a network and its twin make of the same samples, and of the words in them.

    The map and s are found on a random half, and measured on the other: residual; cosine, the mean
    over the n things; retrieval, the share of things that are nearest to themselves in the other
    network, 1/n by chance. A map named `…_turned` is that of a twin whose basis is a Haar-random
    one. cka is the linear centred kernel alignment, for which no map is needed.

    Where samples are sequences of one-hot tokens, words are compared by the columns of the linear
    map that reads them. The twin may have been trained on another language, if the samples are a
    parallel text: token by token, they then are the dictionary. The translation is the share of
    words that are matched rightly without it, 1/n by chance. The first matchings come from the
    cosines among words, which no map changes, and every map is refined from the same: what tells
    maps apart is the retrieval of words, of those to which they were not fitted. Where that is
    high and the translation is not, it is the search that failed.

    The control is the same with the rows of the twin shuffled, or for the translation, each of its
    columns by itself; low and high are the least and the greatest over the halves.

    Cost: 0.3 s for two hidden layers of 32 and 360 samples, 0.5 s more for 64 words; it grows with
    the cubes of widths and words.

    Arguments:
        samples: The largest number of samples, drawn evenly.
        words: The largest number of words, the most frequent.
        halves: How often halves are drawn, and rows shuffled.
        starts: The number of first matchings for the translation.
    """

    samples: int = 2000
    words: int = 128
    halves: int = 20
    starts: int = 5

    over: ClassVar[Literal["training", "ends", "trained"]] = "ends"
    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    schema: ClassVar[Schema] = {
        "layer": str,
        "things": str,
        "map": str,
        "measure": str,
        "value": float,
        "control": float,
        "control_low": float,
        "control_high": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        for name, least in (("samples", 4), ("words", 4), ("halves", 1), ("starts", 1)):
            if getattr(self, name) < least:
                raise ValueError(f"{name} must be at least {least}, got {getattr(self, name)}")

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        twin = subject.twin
        if twin is None:
            raise Unsuitable("a twin must be given: embeddings of two networks are compared")
        if len(subject.x) != len(twin.x) or len(subject.x) < 4:
            raise Unsuitable(
                "the twin must be given the same samples, 4 at least, "
                f"got {len(subject.x)} and {len(twin.x)}"
            )
        generator = subject.generator
        chosen = torch.randperm(len(subject.x), generator=generator)[: self.samples].sort().values
        x, y = (each.x[chosen.to(each.x.device)] for each in (subject, twin))
        tokens = Tokens.of(x, y)
        if tokens is None and not (x.shape == y.shape and torch.equal(x, y.to(x))):
            raise Unsuitable("the twin must be given the same samples, or the same text translated")

        rows: Rows = {name: [] for name in self.schema}
        mine, its = subject.embeddings(x), twin.embeddings(y)
        for layer in [name for name in mine if name in its]:
            A, B = (_finite(each[layer], layer) for each in (mine, its))
            found = compared(A, B, self.halves, generator)
            self._append(rows, layer, "samples", *found, len(A) // 2)
        if not rows["layer"]:
            raise Unsuitable("the twin must have layers of the same names, got none in common")

        if tokens is not None:
            first = word_embedding(subject.model, x), word_embedding(twin.model, y)
            self._read(rows, tokens.most_frequent(self.words), *first, generator)

        return rows

    def _read(
        self,
        rows: Rows,
        tokens: Tokens,
        mine: WordEmbedding | None,
        its: WordEmbedding | None,
        generator: torch.Generator,
    ) -> None:
        """Appends what is measured of words, where both networks read token by token."""

        if mine is None or its is None or len(tokens.mine) < 4:
            return

        layer = mine.layer
        A, B = (
            _finite(each.vectors[chosen.to(each.vectors.device)], layer)
            for each, chosen in zip((mine, its), tokens, strict=True)
        )
        paired = compared(A, B, self.halves, generator)
        self._append(rows, layer, "words", *paired, len(A) // 2)
        unpaired = translated(A, B, self.halves, self.starts, generator)
        self._append(rows, layer, "words", *unpaired, len(A))

    def _append(
        self,
        rows: Rows,
        layer: str,
        things: str,
        values: list[Measures],
        controls: list[Measures],
        n: int,
    ) -> None:
        for name, measure in values[0]:
            value = [found[name, measure] for found in values]
            control = [found[name, measure] for found in controls]
            row = (layer, things, name, measure, _mean(value), _mean(control))
            bounds = (min(control), max(control))
            for column, each in zip(self.schema, (*row, *bounds, n), strict=True):
                rows[column].append(each)

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns residuals, the mean over layers, and the share of words that are translated."""

        def mean(things: str, name: str, measure: str, column: str = "value") -> float:
            wanted = (things, name, measure)
            keys = zip(rows["things"], rows["map"], rows["measure"], strict=True)

            return _mean([rows[column][i] for i, key in enumerate(keys) if key == wanted])

        return {
            "residual_orthogonal": mean("samples", "orthogonal", "residual"),
            "residual_signed": mean("samples", "signed", "residual"),
            "residual_signed_turned": mean("samples", "signed_turned", "residual"),
            "residual_control": mean("samples", "orthogonal", "residual", "control"),
            "translation": mean("words", "orthogonal", "translation"),
        }


def _finite(A: Float[Tensor, "things n"], layer: str) -> Float[Tensor, "things n"]:
    if not A.isfinite().all():
        raise Unsuitable(f"embeddings must be finite, those of {layer} are not")

    return A.cpu().double()


def _mean(numbers: list[float]) -> float:
    return sum(numbers) / len(numbers) if numbers else nan
