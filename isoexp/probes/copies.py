"""Copies of a network: the same function with hidden layers in other bases.

In each hidden space an orthogonal P acts on the weights, as P·(W, b, V) = (PW, Pb, VPᵀ) around an
activation x ↦ V f(W x + b), and leaves the function if f commutes with P (Bird 2025, Eqn 15).
"""

__all__ = ["ORTHOGONAL", "PERMUTATIONS", "SIGNED", "inner_products", "preserves", "turned"]

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from ..symmetry import GROUPS, MatrixGroup
from .junctions import agree, answers
from .spaces import Space, State
from .subject import Subject

ORTHOGONAL, SIGNED, PERMUTATIONS = GROUPS[:3]
"""O(n), signed permutations and permutations, each a part of the one before."""

CHECKED, DRAWS = 64, 2
"""The samples, and the members of a group, on which `preserves` rests."""


def turned(
    state: State, spaces: Mapping[str, Space], bases: Mapping[str, Float[Tensor, "_ _"]]
) -> dict[str, Tensor]:
    """Returns the weights of a network with its hidden spaces, by name, turned into other bases."""

    state = dict(state)
    for name, P in bases.items():
        state |= spaces[name].turned(state, P)

    return state


@torch.no_grad()
def preserves(subject: Subject, space: Space, group: MatrixGroup) -> bool:
    """Whether turning a space by members of a group keeps the outputs, up to rounding."""

    x = subject.x[:CHECKED]
    state = dict(subject.model.named_parameters()) | dict(subject.model.named_buffers())
    reference = answers(subject.model, x)

    return all(
        agree(functional_call(subject.model, space.turned(state, P), (x,)), reference)
        for P in space.drawn(group, DRAWS, subject.generator)
    )


def inner_products(space: Space, state: State, other: State) -> Float[Tensor, "n n"]:
    """Returns G = WW'ᵀ + bb'ᵀ + VᵀV' + … of two sets of weights, in float64 on the CPU.

    tr(Pᵀ G) is ⟨θ, P·θ'⟩, of the weights of this space, if P acts once on each of them, and gains
    do not count.
    """

    G = torch.zeros(space.width, space.width, dtype=torch.float64)
    for slot in space.slots:
        if slot.name in state and not slot.squared:
            both = (slot.features(t[slot.name].cpu().double()) for t in (state, other))
            own = slice(slot.start, slot.start + slot.n)
            G[own, own] += torch.einsum("i...,j...->ij", *both)

    return G
