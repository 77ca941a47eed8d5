"""How samples of any shape are read as sequences: of vectors along the last axis, one a step."""

__all__ = ["steps_of", "to_patches", "to_rows"]

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor


def steps_of(inputs: Sequence[int]) -> tuple[int, int]:
    """Returns the steps and the features a step of a sample.

    A sequence of vectors (T, D) is what it is, one of numbers (T,) has one feature a step, and a
    picture (c, h, w) is read row by row: h steps of c·w features.
    """

    if len(inputs) == 3:
        return inputs[1], inputs[0] * inputs[2]
    if len(inputs) == 2:
        return inputs[0], inputs[1]
    if len(inputs) == 1:
        return inputs[0], 1

    raise ValueError(
        f"a sequence (T,), (T, D) or a picture (c, h, w) is needed, got {tuple(inputs)}"
    )


def to_rows(x: Float[Tensor, " batch *inputs"]) -> Float[Tensor, "batch T D"]:
    """Reads samples as `steps_of` says."""

    if x.dim() == 4:
        return x.movedim(1, 2).flatten(2)

    return x if x.dim() == 3 else x.unsqueeze(-1)


def to_patches(x: Float[Tensor, "batch c h w"], p: int) -> Float[Tensor, "batch T D"]:
    """Cuts pictures into squares of p × p pixels, each a vector of c·p² features."""

    x = x.unflatten(3, (-1, p)).unflatten(2, (-1, p))  # batch, c, h/p, p, w/p, p

    return x.permute(0, 2, 4, 1, 3, 5).flatten(3).flatten(1, 2)
