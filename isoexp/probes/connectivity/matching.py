"""Matching: the change of basis of hidden layers that brings one network nearest to another.

Among the copies P·θ' of a network (copies.py) the nearest is

    P = argmin ‖θ − P·θ'‖² = argmax ⟨θ, P·θ'⟩,    P in a group of matrices at each junction,

or, on data, P = argmin ‖h − h' Pᵀ‖² for the outputs h of the layer. Each is argmax tr(Pᵀ G) for a
matrix G (procrustes.py).

Source: Ainsworth, Hayase, Srinivasa, Git Re-Basin (2022), algorithms of Secs. 3.1 and 3.2.
"""

__all__ = ["ALIGNMENTS", "Matcher", "cross_moments", "weight_matching"]

from collections.abc import Mapping
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor

from ...symmetry import Group
from ..copies import ORTHOGONAL, PERMUTATIONS, SIGNED, inner_products, turned
from ..junctions import Junction, State
from ..procrustes import Nearest, nearest_orthogonal, nearest_permutation, nearest_signed
from ..subject import Subject

SWEEPS = 100
"""The most rounds over the layers; a handful is enough."""


class Matcher(NamedTuple):
    """A group of matrices, and the search for its member nearest to a given matrix."""

    group: Group
    nearest: Nearest


ALIGNMENTS = {
    "permutation": Matcher(PERMUTATIONS, nearest_permutation),
    "signed": Matcher(SIGNED, nearest_signed),
    "orthogonal": Matcher(ORTHOGONAL, nearest_orthogonal),
}
"""From the smallest group to the largest."""


def cross_moments(subject: Subject, twin: Subject, x: Tensor) -> dict[str, Float[Tensor, "n n"]]:
    """Returns G = Σ h h'ᵀ over samples for the outputs of each layer of two networks, in float64
    on the CPU."""

    sums: dict[str, Tensor] = {}
    for ours, theirs in zip(subject.stream(x), twin.stream(x), strict=True):
        for name, pair in ours.items():
            G = pair.outputs.cpu().double().mT @ theirs[name].outputs.cpu().double()
            sums[name] = sums[name] + G if name in sums else G

    return sums


def weight_matching(
    state: State,
    other: State,
    junctions: Mapping[str, Junction],
    nearest: Nearest,
    start: Mapping[str, Float[Tensor, "n n"]],
) -> dict[str, Float[Tensor, "n n"]]:
    """Returns the P at each junction of the largest ⟨θ, P·θ'⟩ found by coordinate ascent.

    One layer at a time is matched exactly, the others held, until none changes. The inner product
    never falls; where it ends depends on the start, but for a single junction. The start is the
    identity where a junction is not named.
    """

    names = {name for junction in junctions.values() for name in junction.weights}
    ours, theirs = (
        {name: t.detach().cpu().double() for name, t in each.items() if name in names}
        for each in (state, other)
    )
    bases = {
        name: start.get(name, torch.eye(junction.width, dtype=torch.float64))
        for name, junction in junctions.items()
    }
    theirs = turned(theirs, junctions, bases)

    for _ in range(SWEEPS):
        changed = False
        for name, junction in junctions.items():
            G = inner_products(junction, ours, theirs)
            Q = nearest(G)
            if (Q * G).sum() > G.trace() + 1e-9 * G.norm():
                theirs |= junction.turned(theirs, Q)
                bases[name] = Q @ bases[name]
                changed = True
        if not changed:
            break

    return bases
