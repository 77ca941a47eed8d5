"""Copies of a network: the same function with hidden layers in other bases.

At each junction x ↦ V f(W x + b) an orthogonal P acts on the weights, P·(W, b, V) = (PW, Pb, VPᵀ),
and leaves the function as it is if f commutes with P (Bird 2025, Eqn 15).
"""

__all__ = ["ORTHOGONAL", "PERMUTATIONS", "SIGNED", "inner_products", "preserves", "turned"]

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from ..symmetry import GROUPS, MatrixGroup
from .junctions import Junction, State, agree, answers
from .subject import Subject

ORTHOGONAL, SIGNED, PERMUTATIONS = GROUPS[:3]
"""O(n), signed permutations and permutations, each a part of the one before."""

CHECKED, DRAWS = 64, 2
"""The samples, and the members of a group, on which `preserves` rests."""


def turned(
    state: State, junctions: Mapping[str, Junction], bases: Mapping[str, Float[Tensor, "_ _"]]
) -> dict[str, Tensor]:
    """Returns the weights of a network with junctions, by name, turned into other bases."""

    state = dict(state)
    for name, P in bases.items():
        state |= junctions[name].turned(state, P)

    return state


@torch.no_grad()
def preserves(subject: Subject, junction: Junction, group: MatrixGroup) -> bool:
    """Whether turning a junction by members of a group keeps the outputs, up to rounding."""

    x = subject.x[:CHECKED]
    state = dict(subject.model.named_parameters())
    reference = answers(subject.model, x)

    return all(
        agree(functional_call(subject.model, junction.turned(state, P), (x,)), reference)
        for P in group.drawn(DRAWS, junction.width, subject.generator)
    )


def inner_products(junction: Junction, state: State, other: State) -> Float[Tensor, "n n"]:
    """Returns G = WW'ᵀ + bb'ᵀ + VᵀV' of two sets of weights, in float64 on the CPU.

    tr(Pᵀ G) is ⟨θ, P·θ'⟩, of the weights of this junction.
    """

    W, b, V = junction.weights
    pairs = [(W, 0), (V, 1)] + ([(b, 0)] if b in state else [])
    both = [[t[name].cpu().double().movedim(d, 0) for t in (state, other)] for name, d in pairs]

    return torch.stack([torch.einsum("i...,j...->ij", *each) for each in both]).sum(dim=0)
