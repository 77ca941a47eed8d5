"""Words: the tokens of two texts that say the same, and how a network embeds each."""

__all__ = ["Tokens", "WordEmbedding", "word_embedding"]

from typing import NamedTuple

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor, nn

from ..layers import hooked


class Tokens(NamedTuple):
    """The dictionary of a parallel text: token mine[i] of one text is token its[i] of the other.

    Each token stands there once, the most frequent first.
    """

    mine: Int[Tensor, " words"]
    its: Int[Tensor, " words"]

    @classmethod
    def of(
        cls, x: Shaped[Tensor, " samples *inputs"], y: Shaped[Tensor, " samples *inputs2"]
    ) -> "Tokens | None":
        """Returns the dictionary of two texts in one-hot tokens (samples, T, D).

        None if they are no such texts, or one token stands in the places of several.
        """

        if x.dim() != 3 or x.shape[:2] != y.shape[:2] or not (_one_hot(x) and _one_hot(y)):
            return None

        pairs = torch.stack([t.argmax(dim=-1).flatten().cpu() for t in (x, y)])
        found, counts = pairs.unique(dim=1, return_counts=True)
        if any(len(tokens.unique()) < found.shape[1] for tokens in found):
            return None

        return cls(*found[:, counts.argsort(descending=True, stable=True)])

    def most_frequent(self, count: int) -> "Tokens":
        """Returns the dictionary of the most frequent words."""

        return Tokens(*(tokens[:count] for tokens in self))


class WordEmbedding(NamedTuple):
    """The columns of the linear map at the path `layer`: a vector for each token."""

    layer: str
    vectors: Float[Tensor, "D n"]


@torch.no_grad()
def word_embedding(model: nn.Module, x: Float[Tensor, "samples T D"]) -> WordEmbedding | None:
    """Returns the columns of the first linear map on the way of samples; None if tokens do not
    enter it one by one."""

    called: list[nn.Linear] = []

    def hook(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> None:
        if isinstance(module, nn.Linear):
            called.append(module)

    with hooked(model.modules(), after=hook):
        model(x[:1])

    if not called or called[0].in_features != x.shape[-1]:
        return None
    names = {module: name for name, module in model.named_modules()}

    return WordEmbedding(names[called[0]], called[0].weight.mT)


def _one_hot(x: Float[Tensor, "samples T D"]) -> bool:
    return bool(((x == 0) | (x == 1)).all() and (x.sum(dim=-1) == 1).all())
