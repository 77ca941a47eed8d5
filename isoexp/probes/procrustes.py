"""Procrustes: the matrix of a group that is nearest to a given one,

    P = argmax tr(Pᵀ G),    P in O(n), or a permutation of coordinates, signed or not.

For G = Σ a bᵀ it is the P that brings vectors b closest to vectors a, argmin Σ ‖a − P b‖². In O(n)
it is UVᵀ, G = UΣVᵀ; a permutation is an assignment, a signed one that of |G|.

Source: Schönemann, A generalized solution of the orthogonal Procrustes problem (1966).
"""

__all__ = ["Nearest", "assignment", "nearest_orthogonal", "nearest_permutation", "nearest_signed"]

from collections.abc import Callable

import torch
from jaxtyping import Float, Int
from torch import Tensor

Nearest = Callable[[Tensor], Tensor]
"""Returns the member P of a group with the largest tr(Pᵀ G), for a square G on the CPU."""


def nearest_orthogonal(G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the orthogonal matrix P of the largest tr(Pᵀ G)."""

    U, _, Vh = torch.linalg.svd(G)

    return U @ Vh


def nearest_permutation(G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the permutation matrix P of the largest tr(Pᵀ G)."""

    return torch.eye(len(G), dtype=G.dtype)[assignment(G)]


def nearest_signed(G: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns the signed permutation matrix P of the largest tr(Pᵀ G)."""

    return nearest_permutation(G.abs()) * torch.where(G < 0, -1.0, 1.0).to(G)


def assignment(G: Float[Tensor, "n n"]) -> Int[Tensor, " n"]:
    """Returns π, each column once, of the largest Σ_i G_iπ(i)."""

    from scipy.optimize import linear_sum_assignment

    return torch.from_numpy(linear_sum_assignment(G.numpy(), maximize=True)[1])
