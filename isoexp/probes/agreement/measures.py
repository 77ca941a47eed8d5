"""Measures of what is left between two sets of vectors, A ≈ s B Q, and of how alike they are.

Row i of A and row i of B stand for one thing.
"""

__all__ = ["centred", "cka", "cosine", "padded", "residual", "retrieval", "scale"]

from math import nan

import torch
from jaxtyping import Float
from torch import Tensor

from ...geometry import unit


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
