"""One training on P processes: each takes its share of every batch, and all make the same update.

Process r computes the samples ⌊rN/P⌋ … ⌊(r+1)N/P⌋ − 1 of a batch of N, a share w_r of it. A mean
over the batch, of a loss, its gradient or the moments of a norm, is

    m = Σ_r w_r m_r,

with m_r the mean over the share of r. With gradients that are averaged so at the end, the
derivative of a loss by m_r on the way is Σ_s w_s ∂L_s/∂m: the same mean again.
"""

__all__ = ["Share", "mean", "mean_", "share", "shares", "whole"]

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import torch
import torch.distributed as dist
from jaxtyping import Float, Shaped
from torch import Tensor

from .processes import connected, rank, size


class Share(NamedTuple):
    """The samples first … last − 1 of a batch of so many."""

    first: int
    last: int
    batch: int

    @property
    def weight(self) -> float:
        return (self.last - self.first) / self.batch

    def span(self, count: int) -> tuple[int, int, int]:
        """Returns where `count` numbers of this share begin and end in the batch, and its count."""

        each = count // (self.last - self.first)

        return self.first * each, self.last * each, self.batch * each


_share: Share | None = None


def share() -> Share | None:
    """Returns this process's share of the batch being computed; None if it has all of it."""

    return _share


def shares(
    batches: Iterable[tuple[Tensor, Tensor]],
) -> Iterator[tuple[Shaped[Tensor, "K share ..."], Shaped[Tensor, "K share ..."]]]:
    """Yields this process's share of each batch; it is its `share` until the next is asked for.

    Batches must have a sample for each process at least.
    """

    global _share
    r, P = rank(), size()
    try:
        for x, y in batches:
            N = x.shape[1]
            _share = Share(r * N // P, (r + 1) * N // P, N)
            rows = slice(_share.first, _share.last)
            yield x[:, rows], y[:, rows]
    finally:
        _share = None


def whole(count: int) -> int:
    """Returns the count in the whole batch of what this share has `count` of."""

    return count if _share is None else _share.span(count)[2]


def mean(m: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Returns the mean over the batch of a mean over this share; differentiable."""

    return m if _share is None else _Mean.apply(m, _share.weight)


@torch.no_grad()
def mean_(means: Sequence[Float[Tensor, " ..."]]) -> None:
    """Turns means over this share into means over the batch, in place and all at once."""

    if _share is not None:
        flat = _share.weight * torch.cat([m.flatten() for m in means])
        with connected():
            dist.all_reduce(flat)
        for m, found in zip(means, flat.split([m.numel() for m in means]), strict=True):
            m.copy_(found.view_as(m))


class _Mean(torch.autograd.Function):
    """m_r ↦ Σ_r w_r m_r, which is its own adjoint."""

    @staticmethod
    def forward(ctx: Any, m: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        found = (weight * m).contiguous()
        with connected():
            dist.all_reduce(found)

        return found

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return _Mean.apply(gradients[0], ctx.weight), None
