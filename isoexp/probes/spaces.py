"""Hidden spaces: bases in which hidden features are written down, and what turns with one of them.

Linear maps write to a space, W x + b, and others read from it, V h. In another basis of it the
weights are RW, Rb and VRᵀ, and the function stays if all that lies between commutes with an
orthogonal R (Bird 2025, Eqn 15). What is added together lies in one space, as do all layers of a
residual stream and all steps of a recurrence.

The function of attention depends on Q and K by QKᵀ alone, and on V and O by their product: in each
head there are two spaces, which may be turned by any R, and the heads come in any order.

Source: Ainsworth, Hayase, Srinivasa, Git Re-Basin (2022), for sums; Theus et al., Generalized
Linear Mode Connectivity for Transformers (2025), for heads.
"""

__all__ = ["Slot", "Space", "State"]

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ..symmetry import MatrixGroup
from .procrustes import Nearest, assignment

State = Mapping[str, Tensor]
"""Parameters, and buffers, by their path in the network."""


class Slot(NamedTuple):
    """An axis of a tensor along which n features of a space lie.

    Arguments:
        start: The first of the features in the space.
        slow: Whether the axis, where it is a multiple of n, has all of a feature's together, as
            flattened channels of torch's pictures; else features change from place to place.
        squared: Whether R acts as R∘R, as on a gain per feature γ, which stands for diag γ.
    """

    name: str
    axis: int
    n: int
    start: int = 0
    slow: bool = False
    squared: bool = False

    def features(self, t: Float[Tensor, "..."]) -> Float[Tensor, "n places ..."]:
        """Returns a tensor with the features along its first axis."""

        shape = (self.n, -1) if self.slow else (-1, self.n)
        t = t.movedim(self.axis, 0).unflatten(0, shape)

        return t if self.slow else t.movedim(1, 0)

    def turned(self, t: Float[Tensor, "..."], R: Float[Tensor, "m m"]) -> Float[Tensor, "..."]:
        """Returns the tensor with R, of the space, acting along the axis."""

        own = slice(self.start, self.start + self.n)
        R = R[own, own].to(t)
        t = torch.tensordot(R * R if self.squared else R, self.features(t), dims=1)

        return (t if self.slow else t.movedim(1, 0)).flatten(0, 1).movedim(0, self.axis)


@dataclass(frozen=True)
class Space:
    """A hidden space of `width` features, and the slots that turn with it, where there are such.

    With `heads` it is the pair of all spaces of QKᵀ, heads × d features, and all of V and O, as
    many: matrices have a block of d × d for each head of either, and heads change places together.
    """

    slots: tuple[Slot, ...]
    width: int
    heads: int = 0

    def turned(self, state: State, R: Float[Tensor, "n n"]) -> dict[str, Tensor]:
        """Returns those tensors of the space that there are, by name, in the basis R.

        For a skew A they are AW, Ab and −VA: how the weights move under exp(tA) at t = 0.
        """

        found: dict[str, Tensor] = {}
        for slot in self.slots:
            if slot.name in state:
                found[slot.name] = slot.turned(found.get(slot.name, state[slot.name]), R)

        return found

    def drawn(self, group: MatrixGroup, count: int, generator: Generator) -> list[Tensor]:
        """Draws members of a group evenly, as `MatrixGroup.drawn`; heads in an even order."""

        if not self.heads:
            return group.drawn(count, self.width, generator)

        return [
            self._of_heads(
                torch.randperm(self.heads, generator=generator),
                torch.stack(group.drawn(2 * self.heads, self._d, generator)).unflatten(
                    0, (2, self.heads)
                ),
            )
            for _ in range(count)
        ]

    def nearest(self, nearest: Nearest, G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
        """Returns the member P of a group, given by its nearest of one space, of the largest
        tr(Pᵀ G)."""

        if not self.heads:
            return nearest(G)

        h, d = self.heads, self._d
        blocks = [part.unflatten(1, (h, d)).unflatten(0, (h, d)) for part in self._parts(G)]
        best = [[[nearest(B[i, :, j]) for j in range(h)] for i in range(h)] for B in blocks]
        gained = [
            [sum((P[i][j] * B[i, :, j]).sum() for P, B in zip(best, blocks, strict=True))
             for j in range(h)]
            for i in range(h)
        ]  # fmt: skip
        order = assignment(torch.tensor(gained, dtype=G.dtype))
        own = [torch.stack([P[i][j] for i, j in enumerate(order.tolist())]) for P in best]

        return self._of_heads(order, torch.stack(own))

    @property
    def _d(self) -> int:
        return self.width // 2 // self.heads

    def _parts(self, G: Float[Tensor, "n n"]) -> Sequence[Float[Tensor, "m m"]]:
        """Returns the part of QKᵀ, and that of V and O."""

        n = self.width // 2

        return G[:n, :n], G[n:, n:]

    def _of_heads(
        self, order: Tensor, blocks: Float[Tensor, "2 heads d d"]
    ) -> Float[Tensor, "n n"]:
        """Returns the matrix by which head i becomes a turned head order[i]."""

        places = torch.eye(self.heads, dtype=blocks.dtype)[order]
        parts = torch.einsum("pikl,ij->pikjl", blocks, places).flatten(3, 4).flatten(1, 2)

        return torch.block_diag(*parts)
