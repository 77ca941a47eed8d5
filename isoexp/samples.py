"""Samples: what K networks are trained on, in one of three forms.

    a tensor     one set for all of them
    tensors      a set for each
    a Subset     rows of a pool that they share, each network's own, and its own scale

Networks that deal one pool anew each hold indices into it, not copies of it.
"""

__all__ = ["Samples", "Subset", "count", "joined", "rows_of", "taken", "whole"]

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Int, Shaped
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Subset:
    """The samples a_k p + b_k of networks k = 1 … K, with p their rows of a pool.

    One for all networks has K = 1. Each sample is the same, to the bit, whichever networks and
    samples are asked for with it.

    Arguments:
        pool: All samples, before each network scales them.
        rows: The indices of each network's samples.
        factor: a, that of each network; None if samples stay as they are.
        shift: b, likewise.
    """

    pool: Shaped[Tensor, " pool ..."]
    rows: Int[Tensor, "K samples"]
    factor: Float[Tensor, " K ..."] | None = None
    shift: Float[Tensor, " K ..."] | None = None

    def __len__(self) -> int:
        return self.rows.shape[1]

    def __getitem__(self, part: slice) -> Shaped[Tensor, " part ..."]:
        """Returns samples of the first network as a tensor."""

        a, b = (None if each is None else each[:1] for each in (self.factor, self.shift))
        rows = self.rows[:1, part]

        return Subset(self.pool, rows, a, b).taken(rows)[0]

    @property
    def device(self) -> torch.device:
        return self.pool.device

    def taken(self, rows: Int[Tensor, "K batch"]) -> Shaped[Tensor, "K batch ..."]:
        """Returns the samples of given indices of the pool."""

        found = self.pool.index_select(0, rows.flatten()).view(*rows.shape, *self.pool.shape[1:])
        if self.factor is None or self.shift is None:
            return found

        return found.mul_(self.factor[:, None]).add_(self.shift[:, None])


Samples = Shaped[Tensor, " samples ..."] | Sequence[Shaped[Tensor, " samples ..."]] | Subset
"""One set of samples for all networks, or one a network, of equal size."""


def joined(samples: Sequence[Tensor | Subset]) -> Samples:
    """Returns the samples of all networks; one set that is the same for each, as it is."""

    first = samples[0]
    if all(each is first for each in samples):
        return first
    subsets = [each for each in samples if isinstance(each, Subset)]
    if len(subsets) < len(samples) or any(each.pool is not subsets[0].pool for each in subsets):
        return [whole(each) for each in samples]

    def stacked(parts: Sequence[Tensor | None]) -> Tensor | None:
        there = [part for part in parts if part is not None]
        return torch.cat(there) if there else None

    return Subset(
        subsets[0].pool,
        torch.cat([each.rows for each in subsets]),
        stacked([each.factor for each in subsets]),
        stacked([each.shift for each in subsets]),
    )


def whole(samples: Tensor | Subset) -> Shaped[Tensor, " samples ..."]:
    """Returns the samples of one network as a tensor."""

    return samples if isinstance(samples, Tensor) else samples[:]


def count(samples: Samples) -> int:
    """Returns the number of samples of a network."""

    return len(samples[0] if isinstance(samples, Sequence) else samples)


def taken(samples: Samples, rows: Int[Tensor, "K batch"]) -> Shaped[Tensor, "K batch ..."]:
    """Returns the samples of given places among each network's own."""

    if isinstance(samples, Tensor):  # flat: half the time of samples[rows]
        return samples.index_select(0, rows.flatten()).view(*rows.shape, *samples.shape[1:])
    if isinstance(samples, Subset):
        return samples.taken(samples.rows.expand(len(rows), -1).gather(1, rows))

    return torch.stack([own.index_select(0, r) for own, r in zip(samples, rows, strict=True)])


def rows_of(samples: Samples, a: int, b: int, K: int) -> Shaped[Tensor, "{K} batch ..."]:
    """Returns the samples from place a up to b of each network."""

    if isinstance(samples, Tensor):
        return samples[a:b].expand(K, *samples[a:b].shape)
    if isinstance(samples, Subset):
        found = samples.taken(samples.rows[:, a:b])
        return found.expand(K, *found.shape[1:])

    return torch.stack([own[a:b] for own in samples])
