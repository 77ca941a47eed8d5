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
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ...store.tables import Rows, Schema
from ..arguments import check_least
from ..rows import Columns, cells
from ..statistics import mean
from ..subject import Over, Subject, Unsuitable, chosen
from .correspondence import Measures, compared, translated
from .words import Tokens, WordEmbedding, word_embedding


@dataclass(frozen=True)
class Agreement:
    """Compares how a network and its twin embed the same samples, and the words in them.

    The map and s are found on a random half, and measured on the other: residual; cosine, the mean
    over the n things; retrieval, the share of things that are nearest to themselves in the other
    network, 1/n by chance. A map named `…_turned` is fitted to a twin in a Haar-random basis. cka
    is the linear centred kernel alignment, for which no map is needed.

    Where samples are sequences of one-hot tokens, words are compared by the columns of the linear
    map that reads them. The twin may have been trained on another language, if the samples are a
    parallel text: token by token, they then are the dictionary. The translation is the share of
    words that are matched rightly without it, 1/n by chance. The first matchings come from the
    cosines among words, which no map changes, and every map is refined from the same: the retrieval
    of words to which they were not fitted tells maps apart. Where it is high and the translation is
    not, the search has failed.

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

    over: ClassVar[Over] = "ends"
    needs: ClassVar[frozenset[str]] = frozenset({"twin"})
    figure: ClassVar[str] = "isoexp.figures.agreement:draw"
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
        check_least(self, samples=4, words=4, halves=1, starts=1)

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
        at = chosen(len(subject.x), self.samples, generator)
        x, y = (each.x[at.to(each.x.device)] for each in (subject, twin))
        tokens = Tokens.of(x, y)
        if tokens is None and not (x.shape == y.shape and torch.equal(x, y.to(x))):
            raise Unsuitable("the twin must be given the same samples, or the same text translated")

        rows = Columns(self.schema)
        mine, its = subject.embeddings(x), twin.embeddings(y)
        for layer in [name for name in mine if name in its]:
            A, B = (_finite(each[layer], layer) for each in (mine, its))
            found = compared(A, B, self.halves, generator)
            _add(rows, layer, "samples", found, len(A) // 2)
        if not rows["layer"]:
            raise Unsuitable("the twin must have layers of the same names, got none in common")

        if tokens is not None:
            first = word_embedding(subject.model, x), word_embedding(twin.model, y)
            self._read(rows, tokens.most_frequent(self.words), *first, generator)

        return rows

    def _read(
        self,
        rows: Columns,
        tokens: Tokens,
        mine: WordEmbedding | None,
        its: WordEmbedding | None,
        generator: torch.Generator,
    ) -> None:
        """Adds the rows of words, where both networks read token by token."""

        if mine is None or its is None or len(tokens.mine) < 4:
            return

        layer = mine.layer
        A, B = (
            _finite(each.vectors[words.to(each.vectors.device)], layer)
            for each, words in zip((mine, its), tokens, strict=True)
        )
        _add(rows, layer, "words", compared(A, B, self.halves, generator), len(A) // 2)
        found = translated(A, B, self.halves, self.starts, generator)
        _add(rows, layer, "words", found, len(A))

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns residuals, the mean over layers, and the share of words that are translated."""

        def over(name: str, column: str = "value") -> float:
            return mean(cells(rows, column, things="samples", map=name, measure="residual"))

        return {
            "residual_orthogonal": over("orthogonal"),
            "residual_signed": over("signed"),
            "residual_signed_turned": over("signed_turned"),
            "residual_control": over("orthogonal", "control"),
            "translation": mean(cells(rows, "value", map="orthogonal", measure="translation")),
        }


def _add(
    rows: Columns, layer: str, things: str, found: tuple[list[Measures], list[Measures]], n: int
) -> None:
    values, controls = found
    for key in values[0]:
        control = [each[key] for each in controls]
        rows.add(
            layer=layer,
            things=things,
            map=key[0],
            measure=key[1],
            value=mean([each[key] for each in values]),
            control=mean(control),
            control_low=min(control),
            control_high=max(control),
            n=n,
        )


def _finite(A: Float[Tensor, "things n"], layer: str) -> Float[Tensor, "things n"]:
    if not A.isfinite().all():
        raise Unsuitable(f"embeddings must be finite, those of {layer} are not")

    return A.cpu().double()
