"""Procrustes: the map Q of a group that brings one set of vectors closest to another,

    Q = argmin ‖A − s B Q‖,    Q in O(n), or a permutation of coordinates, signed or not,

and what is left between the two. Row i of A and row i of B stand for one thing; where that is not
known, `matching` finds which rows belong together from the shapes of the two sets alone.

Source: Schönemann, A generalized solution of the orthogonal Procrustes problem (1966).
"""

__all__ = [
    "Fit",
    "centred",
    "cka",
    "cosine",
    "identity",
    "matching",
    "orthogonal",
    "padded",
    "permutation",
    "residual",
    "retrieval",
    "scale",
    "signed",
    "starts",
]

from collections.abc import Callable, Sequence
from math import nan

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ...geometry import unit

Fit = Callable[[Tensor, Tensor], Tensor]
"""Returns the Q of a group that makes ‖A − B Q‖ least, for A and B of one shape."""


def orthogonal(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows n"]) -> Float[Tensor, "n n"]:
    """Returns the best Q in O(n): U Vᵀ, where BᵀA = U Σ Vᵀ."""

    U, _, Vt = torch.linalg.svd(B.mT @ A)

    return U @ Vt


def permutation(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows n"]) -> Float[Tensor, "n n"]:
    """Returns the best permutation matrix Q: the assignment of greatest sum in BᵀA."""

    S = B.mT @ A

    return S.new_zeros(S.shape).index_put_(_assigned(S), S.new_ones(()))


def signed(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows n"]) -> Float[Tensor, "n n"]:
    """Returns the best permutation matrix Q whose ones may be minus ones."""

    S = B.mT @ A
    at = _assigned(S.abs())

    return S.new_zeros(S.shape).index_put_(at, torch.where(S[at] < 0, -1.0, 1.0).to(S))


def identity(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows n"]) -> Float[Tensor, "n n"]:
    """Returns Q = I: coordinate by coordinate, as they are."""

    return torch.eye(A.shape[1]).to(A)


def scale(A: Float[Tensor, "rows n"], BQ: Float[Tensor, "rows n"]) -> Float[Tensor, ""]:
    """Returns the s ≥ 0 that makes ‖A − s B Q‖ least."""

    return ((A * BQ).sum() / BQ.square().sum()).clamp(min=0)


def residual(A: Float[Tensor, "rows n"], sBQ: Float[Tensor, "rows n"]) -> float:
    """Returns ‖A − s B Q‖² / ‖A‖², one minus the share that is explained; NaN where A = 0."""

    error, whole = (A - sBQ).square().sum(), A.square().sum()

    return torch.where(whole > 0, error / whole, nan).item()


def cosine(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows n"]) -> float:
    """Returns the mean cosine between rows of A and of B, over those that have a direction."""

    return (unit(A) * unit(B)).sum(dim=1).nanmean().item()


def retrieval(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows n"]) -> float:
    """Returns the share of rows of A to which, of all rows of B, that of their own is nearest.

    Nearest by the angle. Of k rows that are equally near each is right with a probability of 1/k,
    so that two sets without any difference between their rows give 1 / rows.
    """

    S = unit(A).nan_to_num() @ unit(B).nan_to_num().mT
    near = (S.amax(dim=1, keepdim=True) - S) < 1e-12

    return (near.diagonal() / near.sum(dim=1)).mean().item()


def cka(A: Float[Tensor, "rows n"], B: Float[Tensor, "rows m"]) -> float:
    """Returns the linear centred kernel alignment, ‖BᵀA‖² / ‖AᵀA‖ ‖BᵀB‖, which no rotation changes.

    Source: Kornblith, Norouzi, Lee and Hinton, Similarity of Neural Network Representations
    Revisited (2019).
    """

    A, B = centred(A), centred(B)

    return ((B.mT @ A).square().sum() / ((A.mT @ A).norm() * (B.mT @ B).norm())).item()


def centred(
    A: Float[Tensor, "rows n"], mean: Float[Tensor, " n"] | None = None
) -> Float[Tensor, "rows n"]:
    """Returns A − mean, its own unless given; what is zero but for rounding is zero."""

    x = A - (A.mean(dim=0) if mean is None else mean)

    return torch.where(x.norm() > 1e-12 * A.norm(), x, 0.0)


def padded(
    A: Float[Tensor, "rows n"], B: Float[Tensor, "rows m"]
) -> tuple[Float[Tensor, "rows k"], Float[Tensor, "rows k"]]:
    """Returns A and B with zeros for the coordinates that the other has more, k = max(n, m)."""

    k = max(A.shape[1], B.shape[1])
    A, B = (torch.nn.functional.pad(X, (0, k - X.shape[1])) for X in (A, B))

    return A, B


def starts(
    A: Float[Tensor, "rows n"], B: Float[Tensor, "rows m"], count: int, generator: Generator
) -> list[Int[Tensor, " rows"]]:
    """Returns matchings i ↦ π(i) of rows under which the cosines among them agree well.

    Each is a local optimum of Σ_ij K_ij L_π(i)π(j), with K and L the cosines among the rows of A
    and of B (quadratic assignment, by the FAQ algorithm). It is sought from a soft matching of the
    rows whose sorted cosines are alike, the first from that itself, the others with noise on it.

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


def matching(
    A: Float[Tensor, "rows n"],
    B: Float[Tensor, "rows n"],
    fit: Fit,
    starts: Sequence[Int[Tensor, " rows"]],
) -> Int[Tensor, " rows"]:
    """Returns the matching i ↦ π(i) of rows for which ‖A − B_π Q‖ is least, without knowing any.

    From each start the map Q is fitted to the matching and the matching to the map, in turn, until
    neither changes; that which ends with the greatest tr AᵀB_πQ is returned.
    """

    def refined(pi: Tensor) -> tuple[float, Tensor]:
        for _ in range(100):
            before, pi = pi, _assigned(A @ (B @ fit(A, B[pi])).mT)[1]
            if torch.equal(before, pi):
                break

        return (A * (B[pi] @ fit(A, B[pi]))).sum().item(), pi

    return max(map(refined, starts), key=lambda found: found[0])[1]


def _assigned(S: Float[Tensor, "n n"]) -> tuple[Int[Tensor, " n"], Int[Tensor, " n"]]:
    """Returns rows and columns, each once, of the entries whose sum is greatest."""

    from scipy.optimize import linear_sum_assignment

    i, j = linear_sum_assignment(S.numpy(), maximize=True)

    return torch.from_numpy(i), torch.from_numpy(j)


def _doubly_stochastic(S: Float[Tensor, "n n"]) -> Float[Tensor, "n n"]:
    """Returns a matrix whose rows and columns sum to one, near exp S with rows and columns scaled.

    Sinkhorn's iteration, then what is missing in rows and columns is added (Altschuler, Weed and
    Rigollet 2017).
    """

    P = S.softmax(dim=1).clamp(min=1e-30)  # a column may be smaller than any number
    for _ in range(100):
        P = P / P.sum(dim=0)
        P = P / P.sum(dim=1, keepdim=True)

    P = P / P.sum(dim=0).clamp(min=1)
    rows, columns = ((1 - P.sum(dim=d)).clamp(min=0) for d in (1, 0))

    return P + torch.outer(rows, columns) / rows.sum().clamp(min=1e-300)
