"""Matching: the change of basis of hidden layers that brings one network nearest to another.

At each junction x ↦ V f(W x + b) an orthogonal P acts on the weights, P·(W, b, V) = (PW, Pb, VPᵀ),
and leaves the function as it is if f commutes with P (Bird 2025, Eqn 15). Sought is

    P = argmin ‖θ − P·θ'‖² = argmax ⟨θ, P·θ'⟩,    P in a group of matrices at each junction,

or, on data, P = argmin ‖h − h' Pᵀ‖² of what the layer gives. Each is argmax tr(Pᵀ G) for a matrix
G: an assignment for permutations; one of |G| for signed permutations; for O(n) it is UVᵀ, G = UΣVᵀ
(Procrustes).

Source: Ainsworth, Hayase, Srinivasa, Git Re-Basin (2022), algorithms of Secs. 3.1 and 3.2.
"""

__all__ = [
    "ALIGNMENTS",
    "Alignment",
    "cross_moments",
    "nearest_orthogonal",
    "nearest_permutation",
    "nearest_signed",
    "preserves",
    "rounding",
    "turned",
    "weight_matching",
]

from collections.abc import Callable, Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import functional_call

from ...symmetry import GROUPS, Group
from ..junctions import Junction, State, relative_error
from ..subject import Subject

SWEEPS = 100
"""The most rounds over the layers; a handful is what it takes."""

CHECKED, DRAWS = 64, 2
"""How many samples, and members of a group, tell whether a function stays."""


def nearest_permutation(G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the permutation matrix P of the largest tr(Pᵀ G)."""

    from scipy.optimize import linear_sum_assignment

    rows, columns = linear_sum_assignment(G.cpu().numpy(), maximize=True)
    P = torch.zeros_like(G)
    P[rows, columns] = 1.0

    return P


def nearest_signed(G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the signed permutation matrix P of the largest tr(Pᵀ G)."""

    return nearest_permutation(G.abs()) * torch.where(G < 0, -1.0, 1.0).to(G)


def nearest_orthogonal(G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the orthogonal matrix P of the largest tr(Pᵀ G)."""

    U, _, Vh = torch.linalg.svd(G)

    return U @ Vh


class Alignment(NamedTuple):
    """What twins are aligned by: a group of matrices, and its member nearest to a given matrix."""

    group: Group
    nearest: Callable[[Tensor], Tensor]


ALIGNMENTS = {
    name: Alignment(next(group for group in GROUPS if group.name == called), nearest)
    for name, called, nearest in (
        ("permutation", "permutations", nearest_permutation),
        ("signed", "signed permutations", nearest_signed),
        ("orthogonal", "O(n)", nearest_orthogonal),
    )
}
"""From the smallest group to the largest."""


def turned(
    state: State, junctions: Mapping[str, Junction], bases: Mapping[str, Float[Tensor, "n n"]]
) -> dict[str, Tensor]:
    """Returns a network's weights with the junctions that bases name turned into them."""

    state = dict(state)
    for name, P in bases.items():
        state |= junctions[name].turned(state, P)

    return state


@torch.no_grad()
def preserves(subject: Subject, junction: Junction, group: Group) -> bool:
    """Whether turning a junction by members of a group leaves the outputs, up to rounding."""

    x = subject.x[:CHECKED]
    state = dict(subject.model.named_parameters())
    reference = subject.model(x)

    return all(
        relative_error(functional_call(subject.model, junction.turned(state, P), (x,)), reference)
        <= rounding(reference)
        for P in (group.draw(junction.width, subject.generator) for _ in range(DRAWS))
    )


def rounding(outputs: Tensor) -> float:
    """Returns the relative error up to which outputs are taken for the same, 1e3 eps."""

    return 1e3 * torch.finfo(outputs.dtype).eps


def cross_moments(subject: Subject, twin: Subject, x: Tensor) -> dict[str, Float[Tensor, "n n"]]:
    """Returns G = Σ h h'ᵀ over samples for what each layer of two networks gives, in float64."""

    sums: dict[str, Tensor] = {}
    for ours, theirs in zip(subject.stream(x), twin.stream(x), strict=True):
        for name, pair in ours.items():
            G = pair.outputs.double().mT @ theirs[name].outputs.double()
            sums[name] = sums[name] + G if name in sums else G

    return sums


def weight_matching(
    state: State,
    other: State,
    junctions: Mapping[str, Junction],
    nearest: Callable[[Tensor], Tensor],
    start: Mapping[str, Float[Tensor, "n n"]],
) -> dict[str, Float[Tensor, "n n"]]:
    """Returns the P at each junction of the largest ⟨θ, P·θ'⟩ found by coordinate ascent.

    One layer at a time is matched exactly, the others held, until none changes. The inner product
    never falls; where it ends depends on the start, but for a single junction.

    Arguments:
        state: θ, by the names of the parameters.
        other: θ'.
        junctions: The junctions to be turned.
        nearest: Returns the member of the group with the largest tr(Pᵀ G).
        start: P to begin with; the identity where a junction is not named.
    """

    names = {name for junction in junctions.values() for name in junction.weights}
    ours = {name: t.detach().double() for name, t in state.items() if name in names}
    theirs = {name: t.detach().double() for name, t in other.items() if name in names}
    bases = {
        name: start.get(name, torch.eye(junction.width, dtype=torch.float64)).to(
            theirs[junction.weights[0]]
        )
        for name, junction in junctions.items()
    }
    theirs = turned(theirs, junctions, bases)

    for _ in range(SWEEPS):
        changed = False
        for name, junction in junctions.items():
            G = _gain(junction, ours, theirs)
            Q = nearest(G)
            if (Q * G).sum() > G.trace() + 1e-9 * G.norm():
                theirs |= junction.turned(theirs, Q)
                bases[name] = Q @ bases[name]
                changed = True
        if not changed:
            break

    return bases


def _gain(junction: Junction, ours: State, theirs: State) -> Float[Tensor, "n n"]:
    """Returns the G of which tr(Pᵀ G) is ⟨θ, P·θ'⟩ at one junction: WW'ᵀ + bb'ᵀ + VᵀV'."""

    W, b, V = junction.weights
    G = ours[W].flatten(1) @ theirs[W].flatten(1).mT
    if b in ours:
        G = G + torch.outer(ours[b], theirs[b])
    v, v_ = (t[V].movedim(1, 0).flatten(1) for t in (ours, theirs))

    return G + v @ v_.mT
