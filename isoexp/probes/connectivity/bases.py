"""Changes of basis of hidden layers: the shortest paths to them, and the nearest to a twin.

A rotation R of SO(n) turns planes, each by its own angle θ, and leaves the rest. On the geodesic

    R(t) = exp(t log R),    R(0) = I,    R(1) = R,

the same planes are turned by tθ. Among the copies P·θ' of a network (copies.py) the nearest is

    P = argmin ‖θ − P·θ'‖² = argmax ⟨θ, P·θ'⟩,    P in a group of matrices at each junction,

or, on data, P = argmin ‖h − h' Pᵀ‖² for the outputs h of the layer. Each is argmax tr(Pᵀ G) for a
matrix G (procrustes.py).

Source: Ainsworth, Hayase, Srinivasa, Git Re-Basin (2022), algorithms of Secs. 3.1 and 3.2.
"""

__all__ = ["ALIGNMENTS", "DRAWN", "Geodesic", "cross_moments", "weight_matching"]

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ...geometry import random_orthogonal
from ...symmetry import MatrixGroup
from ..copies import ORTHOGONAL, PERMUTATIONS, SIGNED, inner_products, turned
from ..junctions import Junction, State
from ..procrustes import Nearest, nearest_orthogonal, nearest_permutation, nearest_signed
from ..subject import Subject

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


def cross_moments(subject: Subject, twin: Subject, x: Tensor) -> Bases:
    """Returns G = Σ h h'ᵀ over samples for the outputs of each layer of two networks, in float64
    on the CPU."""

    sums: dict[str, Tensor] = {}
    for ours, theirs in zip(subject.stream(x), twin.stream(x), strict=True):
        for name, pair in ours.items():
            G = pair.outputs.cpu().double().mT @ theirs[name].outputs.cpu().double()
            sums[name] = sums[name] + G if name in sums else G

    return sums


def weight_matching(
    state: State, other: State, junctions: Mapping[str, Junction], nearest: Nearest, start: Bases
) -> Bases:
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

    for _ in range(100):  # the most rounds over the layers; a handful is enough
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
