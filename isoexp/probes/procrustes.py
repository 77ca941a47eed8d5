"""Procrustes: the matrix of a group that is nearest to a given one,

    P = argmax tr(Pᵀ G),    P in O(n), or a permutation of coordinates, signed or not.

For G = Σ a bᵀ it is the P that brings vectors b closest to vectors a, argmin Σ ‖a − P b‖². In O(n)
it is UVᵀ, G = UΣVᵀ; a permutation is an assignment, a signed one that of |G|. Where it is not known
which b belongs to which a, the pairs are sought together with P (`matching`).

Source: Schönemann, A generalized solution of the orthogonal Procrustes problem (1966).
"""

__all__ = [
    "Nearest", "assignment", "matching", "nearest_orthogonal", "nearest_permutation",
    "nearest_signed", "starts",
]  # fmt: skip

from collections.abc import Callable, Sequence

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ..geometry import unit

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


def matching(
    A: Float[Tensor, "rows n"],
    B: Float[Tensor, "rows n"],
    nearest: Nearest,
    starts: Sequence[Int[Tensor, " rows"]],
) -> Int[Tensor, " rows"]:
    """Returns the matching i ↦ π(i) of rows for which ‖A − B_π Q‖ is least, without known pairs.

    From each start the map Q of a group is fitted to the matching and the matching to the map, in
    turn, until neither changes; the matching of the greatest tr AᵀB_πQ is returned.
    """

    def refined(pi: Tensor) -> tuple[float, Tensor]:
        for _ in range(100):
            before, pi = pi, assignment(A @ (B @ nearest(B[pi].mT @ A)).mT)
            if torch.equal(before, pi):
                break

        return (A * (B[pi] @ nearest(B[pi].mT @ A))).sum().item(), pi

    return max(map(refined, starts), key=lambda found: found[0])[1]


def starts(
    A: Float[Tensor, "rows n"], B: Float[Tensor, "rows m"], count: int, generator: Generator
) -> list[Int[Tensor, " rows"]]:
    """Returns matchings i ↦ π(i) of rows under which the cosines among them agree well.

    Each is a local optimum of Σ_ij K_ij L_π(i)π(j), with K and L the cosines among the rows of A
    and of B (quadratic assignment, by the FAQ algorithm). The search begins with a soft matching of
    rows whose sorted cosines are alike; after the first time noise is added to it.

    Source: Vogelstein et al., Fast Approximate Quadratic Programming for Graph Matching (2015);
    Artetxe, Labaka and Agirre, A robust self-learning method for fully unsupervised cross-lingual
    mappings of word embeddings (2018), for where to start.
    """

    from scipy.optimize import quadratic_assignment

    K, L = (unit(X).nan_to_num() for X in (A, B))
    K, L = K @ K.mT, L @ L.mT
    alike = -torch.cdist(K.sort(dim=1).values, L.sort(dim=1).values)
    alike = alike / alike.std(correction=0).clamp(min=1e-9)

    # Nothing is drawn there; without a generator of its own SciPy warns of the global one.
    rng = np.random.default_rng(0)
    found = []
    for k in range(count):
        noise = (k > 0) * torch.randn(alike.shape, generator=generator, dtype=alike.dtype)
        P0 = _doubly_stochastic(2 * alike + noise).numpy()
        options = {"P0": P0, "maximize": True, "rng": rng}
        result = quadratic_assignment(K.numpy(), L.numpy(), method="faq", options=options)
        found.append(torch.from_numpy(result.col_ind))

    return found


def _doubly_stochastic(S: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns a matrix whose rows and columns sum to one, near exp S with rows and columns scaled.

    Sinkhorn's iteration, then the remainders of rows and columns are added (Altschuler, Weed and
    Rigollet 2017).
    """

    P = S.softmax(dim=1).clamp(min=1e-30)  # a column may be smaller than any number
    for _ in range(100):
        P = P / P.sum(dim=0)
        P = P / P.sum(dim=1, keepdim=True)

    P = P / P.sum(dim=0).clamp(min=1)
    rows, columns = ((1 - P.sum(dim=d)).clamp(min=0) for d in (1, 0))

    return P + torch.outer(rows, columns) / rows.sum().clamp(min=1e-300)
