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
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from ...store.tables import Rows, Schema
from ..arguments import check_least
from ..layers import Call, hooked
from ..rows import Columns, cells
from ..statistics import mean
from ..subject import Over, Subject, Unsuitable, chosen
from .correspondence import compared, translated


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
        "layer": str, "things": str, "map": str, "measure": str, "value": float, "control": float,
        "control_low": float, "control_high": float, "n": int,
    }  # fmt: skip

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
        words = dictionary(x, y)
        if words is None and not (x.shape == y.shape and torch.equal(x, y.to(x))):
            raise Unsuitable("the twin must be given the same samples, or the same text translated")

        mine, its = subject.embeddings(x), twin.embeddings(y)
        compare = {("samples", k): (A, its[k]) for k, A in mine.items() if k in its}
        if not compare:
            raise Unsuitable("the twin must have layers of the same names, got none in common")
        if words is not None and words.shape[1] >= 4:
            first, other = word_vectors(subject.model, x), word_vectors(twin.model, y)
            if first and other:
                A, B = (
                    V.cpu()[w[: self.words]]
                    for (_, V), w in zip((first, other), words, strict=True)
                )
                compare["words", first[0]] = A, B

        rows = Columns(self.schema)
        for (things, layer), pair in compare.items():
            if not all(t.isfinite().all() for t in pair):
                raise Unsuitable(f"embeddings must be finite, those of {layer} are not")
            A, B = (t.cpu().double() for t in pair)
            found = [*compared(A, B, self.halves, generator)]
            if things == "words":
                found += translated(A, B, self.halves, self.starts, generator)
            for row in found:
                rows.add(layer=layer, things=things, **row)

        return rows

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


def dictionary(
    x: Shaped[Tensor, " samples *inputs"], y: Shaped[Tensor, " samples *inputs2"]
) -> Int[Tensor, "2 words"] | None:
    """Returns the tokens of x above those of y that mean the same, the most frequent first.

    None if these are no parallel texts in one-hot tokens (samples, T, D), or one token stands in
    the places of several.
    """

    def one_hot(t: Tensor) -> bool:
        return bool(((t == 0) | (t == 1)).all() and (t.sum(dim=-1) == 1).all())

    if x.dim() != 3 or x.shape[:2] != y.shape[:2] or not (one_hot(x) and one_hot(y)):
        return None

    pairs = torch.stack([t.argmax(dim=-1).flatten().cpu() for t in (x, y)])
    found, counts = pairs.unique(dim=1, return_counts=True)
    if any(len(tokens.unique()) < found.shape[1] for tokens in found):
        return None

    return found[:, counts.argsort(descending=True, stable=True)]


@torch.no_grad()
def word_vectors(
    model: nn.Module, x: Float[Tensor, "samples T D"]
) -> tuple[str, Float[Tensor, "D n"]] | None:
    """Returns the path and the columns of the first linear map on the way of samples.

    There is one for each token; None if tokens do not enter it one by one.
    """

    called: list[nn.Linear] = []

    def hook(call: Call) -> None:
        if isinstance(call.module, nn.Linear):
            called.append(call.module)

    with hooked(model.modules(), after=hook):
        model(x[:1])

    if not called or called[0].in_features != x.shape[-1]:
        return None
    names = {module: name for name, module in model.named_modules()}

    return names[called[0]], called[0].weight.mT
