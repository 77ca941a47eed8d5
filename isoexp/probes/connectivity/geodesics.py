"""Geodesics of the rotation group, the shortest paths from the identity to a rotation R of SO(n):

    R(t) = exp(t log R),    R(0) = I,    R(1) = R.

R turns planes, each by its own angle θ, and leaves the rest; R(t) turns the same planes by tθ.
"""

__all__ = ["Geodesic", "random_even_permutation", "random_rotation"]

import math

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ...geometry import random_orthogonal


class Geodesic:
    """R(t), with R(1) = R in SO(n) to rounding, computed from the real Schur form R = Z T Zᵀ.

    T is block diagonal, since R is normal. Eigenvalues −1 are paired into planes turned by π: the
    pairing is a choice, and so is the geodesic then, one of several of the same length.
    """

    def __init__(self, R: Float[Tensor, "n n"]) -> None:
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
            math.atan2((T[b, a] - T[a, b]) / 2, T[a, a] / 2 + T[b, b] / 2)
            for a, b in zip(i, i + 1, strict=True)
        ]
        self.u, self.v = (torch.from_numpy(Z)[:, of] for of in (first, second))
        self.angles = torch.tensor(angles + [math.pi] * pairs.shape[1], dtype=torch.float64)

    def __call__(self, t: float) -> Float[Tensor, "n n"]:
        """Returns R(t), in float64 on the CPU."""

        u, v = self.u, self.v
        # cos(tθ) − 1 as −2 sin²(tθ/2): R(0) = I exactly, and small turns keep their digits
        lost = -2 * torch.sin(t * self.angles / 2) ** 2
        turn = (v * torch.sin(t * self.angles)) @ u.mT

        return torch.eye(len(u)).double() + (u * lost) @ u.mT + (v * lost) @ v.mT + turn - turn.mT


def random_rotation(n: int, generator: Generator) -> Float[Tensor, "n n"]:
    """Returns a matrix R drawn from the Haar measure on SO(n), in float64 on the CPU."""

    R = random_orthogonal(n, generator)
    if torch.linalg.det(R) < 0:
        R[:, 0] *= -1

    return R


def random_even_permutation(n: int, generator: Generator) -> Float[Tensor, "n n"]:
    """Returns a permutation matrix of determinant 1, and not the identity from n = 3 on."""

    identity = torch.eye(n, dtype=torch.float64)
    P = identity[torch.randperm(n, generator=generator)]
    if torch.linalg.det(P) < 0:
        P[[0, 1]] = P[[1, 0]]
    if n > 2 and torch.equal(P, identity):
        return random_even_permutation(n, generator)

    return P
