"""The contract between kinds of dropout and the rest of the house."""

__all__ = ["Dropout"]

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor

from ..noise import Noisy


class Dropout(Noisy, ABC):
    """Abstract random map of mean x in training; the identity in evaluation, and for keep = 1.

    Arguments:
        width: The number of features n ≥ 1.
        keep: The share q of the features to keep, in (0, 1].
    """

    def __init__(self, width: int, keep: float = 0.9) -> None:
        super().__init__()

        if width < 1:
            raise ValueError(f"width must be at least 1, got {width}")
        if not 0 < keep <= 1:
            raise ValueError(f"keep must lie in (0, 1], got {keep:g}: it is the share that is kept")

        self.width = width
        self.keep = keep
        self.drops = keep < 1

    def extra_repr(self) -> str:
        return f"{self.width}, keep={self.keep:g}"

    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        return self.drop(x) if self.training and self.drops else x

    @abstractmethod
    def drop(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]:
        """Drops a part of x, and scales the rest so that its mean is x."""
