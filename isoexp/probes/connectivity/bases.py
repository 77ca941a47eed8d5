"""Changes of basis of hidden spaces: the shortest paths to them, and the nearest to a twin.

A rotation R of SO(n) turns planes, each by its own angle θ, and leaves the rest. On the geodesic

    R(t) = exp(t log R),    R(0) = I,    R(1) = R,

the same planes are turned by tθ. Among the copies P·θ' of a network (copies.py) the nearest is

    P = argmin ‖θ − P·θ'‖² = argmax ⟨θ, P·θ'⟩,    P in a group of matrices of each hidden space,

or, on data, P = argmin ‖h − h' Pᵀ‖² for the vectors h that are read there. Each is argmax tr(Pᵀ G)
for a matrix G (procrustes.py).

Source: Ainsworth, Hayase, Srinivasa, Git Re-Basin (2022), algorithms of Secs. 3.1 and 3.2.
"""

__all__ = ["ALIGNMENTS", "DRAWN", "Geodesic", "Turn", "cross_moments", "weight_matching"]

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor, nn

from ...geometry import random_orthogonal
from ...symmetry import MatrixGroup
from ..copies import ORTHOGONAL, PERMUTATIONS, SIGNED, inner_products, turned
from ..hidden import maps_of
from ..layers import Call, hooked
from ..procrustes import Nearest, nearest_orthogonal, nearest_permutation, nearest_signed
from ..spaces import Space, State
from ..subject import Subject, batches

Square = Float[Tensor, "n n"]
Bases = dict[str, Square]


class Geodesic:
    """R(t), with R(1) = R in SO(n) to rounding, computed from the real Schur form R = Z T Zᵀ.

    T is block diagonal, since R is normal. Eigenvalues −1 are paired into planes turned by π: the
    pairing is a choice, and so is the geodesic then, one of several of the same length.
    """

    def __init__(self, R: Square) -> None:
        from scipy.linalg import schur

        matrix = R.detach().cpu().double().numpy()
        if np.abs(matrix @ matrix.T - np.eye(len(matrix))).max() > 1e-6:
            raise ValueError("R must be orthogonal, got R Rᵀ other than the identity")
        if np.linalg.det(matrix) < 0:
            raise ValueError("det R must be 1, got −1: no path of rotations leads there from I")

        T, Z = schur(matrix, output="real")[:2]
        i = np.flatnonzero(np.diag(T, -1))  # 2 × 2 blocks begin there
        alone = np.setdiff1d(np.arange(len(T)), [i, i + 1])
        flipped = alone[T[alone, alone] < 0]
        pairs = flipped[: len(flipped) // 2 * 2].reshape(-1, 2).T  # det R = 1 makes them even
        first, second = np.concatenate([[i, i + 1], pairs], axis=1)

        angles = [
            math.atan2((T[k + 1, k] - T[k, k + 1]) / 2, T[k, k] / 2 + T[k + 1, k + 1] / 2)
            for k in i
        ]
        self.u, self.v = (torch.from_numpy(Z)[:, of] for of in (first, second))
        self.angles = torch.tensor(angles + [math.pi] * pairs.shape[1], dtype=torch.float64)

    def __call__(self, t: float) -> Square:
        """Returns R(t), in float64 on the CPU."""

        u, v = self.u, self.v
        # cos(tθ) − 1 as −2 sin²(tθ/2): R(0) = I exactly, and small turns keep their digits
        lost = -2 * torch.sin(t * self.angles / 2) ** 2
        turn = (v * torch.sin(t * self.angles)) @ u.mT

        return torch.eye(len(u)).double() + (u * lost) @ u.mT + (v * lost) @ v.mT + turn - turn.mT


def random_rotation(n: int, generator: Generator) -> Square:
    """Returns a matrix R drawn from the Haar measure on SO(n), in float64 on the CPU."""

    R = random_orthogonal(n, generator)
    if torch.linalg.det(R) < 0:
        R[:, 0] *= -1

    return R


def random_even_permutation(n: int, generator: Generator) -> Square:
    """Returns a permutation matrix of determinant 1, and not the identity from n = 3 on."""

    identity = torch.eye(n, dtype=torch.float64)
    P = identity[torch.randperm(n, generator=generator)]
    if torch.linalg.det(P) < 0:
        P[[0, 1]] = P[[1, 0]]
    if n > 2 and torch.equal(P, identity):
        return random_even_permutation(n, generator)

    return P


DRAWN = {"geodesic": random_rotation, "permutation geodesic": random_even_permutation}
"""The kinds of symmetry paths, and the draws of their ends."""


class Matcher(NamedTuple):
    """A group of matrices, and the search for its member nearest to a given matrix."""

    group: MatrixGroup
    nearest: Nearest


ALIGNMENTS = {
    "permutation": Matcher(PERMUTATIONS, nearest_permutation),
    "signed": Matcher(SIGNED, nearest_signed),
    "orthogonal": Matcher(ORTHOGONAL, nearest_orthogonal),
}
"""From the smallest group to the largest."""


class Turn(NamedTuple):
    """A hidden space, and the group that may turn it."""

    space: Space
    matcher: Matcher

    def nearest(self, G: Square) -> Square:
        return self.space.nearest(self.matcher.nearest, G)


@torch.no_grad()
def cross_moments(subject: Subject, twin: Subject, spaces: Mapping[str, Space], x: Tensor) -> Bases:
    """Returns G = Σ h h'ᵀ over samples and places for what is read from each space of two networks,
    in float64 on the CPU; of queries and keys, whose products alone are read, what is written."""

    sums = {
        name: torch.zeros(space.width, space.width, dtype=torch.float64)
        for name, space in spaces.items()
    }
    for (part,) in batches(x):
        ours, theirs = (_seen(each.model, spaces, part) for each in (subject, twin))
        for name, pairs in ours.items():
            for (own, h), (_, other) in zip(pairs, theirs[name], strict=True):
                sums[name][own, own] += h.mT @ other

    return sums


def _seen(
    model: nn.Module, spaces: Mapping[str, Space], x: Tensor
) -> dict[str, list[tuple[slice, Float[Tensor, "places n"]]]]:
    """Returns the vectors in each space of a network, and which of its features they hold."""

    found = {name: [] for name in spaces}
    maps = maps_of(model)

    def look(call: Call) -> None:
        path, kind = maps[call.module]
        for name, space in spaces.items():
            for slot in space.slots:
                axis, t = (kind.out, call.y) if space.heads else (kind.into, call.x)
                if (slot.name, slot.axis) == (path, axis):
                    own = slice(slot.start, slot.start + slot.n)
                    h = slot._replace(axis=kind.features).features(t).flatten(1).mT
                    found[name].append((own, h.cpu().double()))

    with hooked(maps, after=look):
        model(x)

    return found


def weight_matching(state: State, other: State, turns: Mapping[str, Turn], start: Bases) -> Bases:
    """Returns the P of each space of the largest ⟨θ, P·θ'⟩ found by coordinate ascent.

    One space at a time is matched exactly, the others held, until none changes; where P acts twice
    on a weight, as in a recurrence, by the linear part of the inner product. It never falls; where
    it ends depends on the start, but for a single space in which P acts once. The start is the
    identity where a space is not named.
    """

    names = {slot.name for turn in turns.values() for slot in turn.space.slots}
    ours, theirs = (
        {name: t.detach().cpu().double() for name, t in each.items() if name in names}
        for each in (state, other)
    )
    bases = {
        name: start.get(name, torch.eye(turn.space.width, dtype=torch.float64))
        for name, turn in turns.items()
    }
    theirs = turned(theirs, {name: turn.space for name, turn in turns.items()}, bases)

    for _ in range(100):  # the most rounds over the spaces; a handful is enough
        changed = False
        for name, turn in turns.items():
            G = inner_products(turn.space, ours, theirs)
            Q = turn.nearest(G)
            moved = turn.space.turned(theirs, Q)
            gained = sum((ours[key] * (t - theirs[key])).sum() for key, t in moved.items())
            if gained > 1e-9 * G.norm():
                theirs |= moved
                bases[name] = Q @ bases[name]
                changed = True
        if not changed:
            break

    return bases
