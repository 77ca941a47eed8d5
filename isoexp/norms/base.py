"""The contract of a normaliser, and the moments of a batch."""

__all__ = ["Norm", "checked_eps", "checked_momentum", "moments", "vectors"]

from abc import ABC, abstractmethod
from collections.abc import Callable

from jaxtyping import Float
from torch import Tensor, nn

from ..parallel import mean, whole


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
        ValueError: If there are fewer than two, which have no variance.
    """

    rows = x.reshape(-1, x.shape[-1])
    if whole(len(rows)) < 2:
        raise ValueError(
            f"more than one vector is needed in training, got {len(rows)}: choose a batch_size "
            "that leaves no batch of one"
        )

    return rows


def moments(
    x: Float[Tensor, "*batch n"],
    second: Callable[[Float[Tensor, "N n"], Float[Tensor, " n"]], Float[Tensor, "*shape"]],
    running_mean: Float[Tensor, " n"],
    running_second: Float[Tensor, "*shape"],
    momentum: float,
) -> tuple[Float[Tensor, " n"], Float[Tensor, "*shape"]]:
    """Returns the mean μ of a batch and its biased second moment, second(vectors, μ).

    The running ones are updated in place, r ← (1 − momentum) r + momentum · m, the second with the
    unbiased moment; they are constants to the gradient.
    """

    rows = vectors(x)
    N = whole(len(rows))
    mu = mean(rows.mean(dim=0))
    S = mean(second(rows, mu))

    for running, m in ((running_mean, mu), (running_second, S * N / (N - 1))):
        running.copy_((1 - momentum) * running + momentum * m.detach())

    return mu, S


def checked_momentum(momentum: float | None) -> float:
    """Returns the momentum; raises ValueError unless 0 < momentum ≤ 1."""

    if momentum is None or not 0 < momentum <= 1:
        given = "None" if momentum is None else f"{momentum:g}"
        raise ValueError(f"momentum must be above 0 and at most 1, got {given}; PyTorch's is 0.1")

    return momentum


def checked_eps(eps: float) -> float:
    """Returns eps; raises ValueError unless eps > 0."""

    if not eps > 0:
        raise ValueError(f"eps must be positive, got {eps:g}: vectors that are all alike need it")

    return eps
