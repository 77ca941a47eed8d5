"""The contract of a normaliser, and what those that remember batches share."""

__all__ = ["Norm", "checked_eps", "checked_momentum", "remember_", "vectors"]

from abc import ABC, abstractmethod

from jaxtyping import Float
from torch import Tensor, nn

from ..parallel import whole


class Norm(nn.Module, ABC):
    """Abstract map of a layer's features to themselves, along the last axis.

    Arguments:
        width: The number of features n.
    """

    def __init__(self, width: int) -> None:
        super().__init__()

        self.width = width

    def extra_repr(self) -> str:
        return f"{self.width}"

    @abstractmethod
    def forward(self, x: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch n"]: ...


def vectors(x: Float[Tensor, "*batch n"]) -> Float[Tensor, "N n"]:
    """Returns all vectors of a batch as the rows of a matrix.

    Raises:
        ValueError: If there is one only, or none: they have no variance.
    """

    rows = x.reshape(-1, x.shape[-1])
    if whole(len(rows)) < 2:
        raise ValueError(
            f"more than one vector is needed in training, got {len(rows)}: choose a batch_size "
            "that leaves no batch of one"
        )

    return rows


def remember_(
    running: Float[Tensor, "*shape"], value: Float[Tensor, "*shape"], momentum: float
) -> None:
    """Sets running ← (1 − momentum) running + momentum · value, a constant to the gradient."""

    running.copy_((1 - momentum) * running + momentum * value.detach())


def checked_momentum(momentum: float | None) -> float:
    """Returns the momentum 0 < momentum ≤ 1, the weight of the newest batch."""

    if momentum is None or not 0 < momentum <= 1:
        given = "None" if momentum is None else f"{momentum:g}"
        raise ValueError(f"momentum must be above 0 and at most 1, got {given}; PyTorch's is 0.1")

    return momentum


def checked_eps(eps: float) -> float:
    """Returns eps > 0."""

    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps:g}: vectors that are all alike need it")

    return eps
