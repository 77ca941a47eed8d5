"""Correspondence of two sets of vectors, by the best map of several groups, with its control.

Q = argmin ‖A − s B Q‖ = argmax tr(Qᵀ BᵀA)                                     (procrustes.py)

Row i of A and row i of B stand for one thing.
"""

__all__ = [
    "MAPS", "TURNED", "Measures", "centred", "cka", "compared", "cosine", "padded", "residual",
    "retrieval", "scale", "translated",
]  # fmt: skip

from collections.abc import Iterator
from math import nan

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ...geometry import random_orthogonal, unit
from .. import procrustes
from ..procrustes import Nearest, matching

MAPS: dict[str, Nearest] = {
    "orthogonal": procrustes.nearest_orthogonal,
    "signed": procrustes.nearest_signed,
    "permutation": procrustes.nearest_permutation,
    "identity": lambda G: torch.eye(len(G)).to(G),
}
"""From the largest group to the smallest, coordinate by coordinate as they are."""

TURNED = ("signed", "permutation")
"""The maps that depend on a basis: they are tried in a random basis of the twin as well."""

Measures = dict[tuple[str, str], float]
"""Numbers by the name of the map, and of the measure."""


def compared(
    A: Float[Tensor, "things n"], B: Float[Tensor, "things m"], halves: int, generator: Generator
) -> tuple[list[Measures], list[Measures]]:
    """Returns the measures of pairs of rows, and of shuffled rows as the control, for each draw.

    Maps are fitted on a random half, and measured on the other. `halves` is the number of draws.
    """

    A, B = padded(A, B)
    values, controls = [], []
    for _ in range(halves):
        parts = torch.randperm(len(A), generator=generator).tensor_split(2)
        turn = random_orthogonal(A.shape[1], generator)
        shuffled = B[torch.randperm(len(B), generator=generator)]
        for found, other in ((values, B), (controls, shuffled)):
            found.append(dict(_measured(A, other, turn, *parts)))

    return values, controls


def translated(
    A: Float[Tensor, "words n"],
    B: Float[Tensor, "words m"],
    halves: int,
    count: int,
    generator: Generator,
) -> tuple[list[Measures], list[Measures]]:
    """Returns the share of words that are matched rightly from their vectors alone, by each map.

    Row i of A and B is one word. The control is the same after each column of B has been shuffled
    by itself, `halves` times; `count` is the number of first matchings.
    """

    A, B = padded(centred(A), centred(B))
    values, controls = [], []
    for k in range(1 + halves):
        order = torch.randperm(len(B), generator=generator)  # so that no tie is broken rightly
        other = B[order]
        if k:
            other = B.gather(0, torch.rand(B.shape, generator=generator).argsort(dim=0))[order]

        first = procrustes.starts(A, other, count, generator)
        found = {}
        for name, nearest in MAPS.items():
            right = order[matching(A, other, nearest, first)] == torch.arange(len(A))
            found[name, "translation"] = right.double().mean().item()
        (controls if k else values).append(found)

    return values, controls


def _measured(
    A: Float[Tensor, "things n"],
    B: Float[Tensor, "things n"],
    turn: Float[Tensor, "n n"],
    fitted: Tensor,
    kept: Tensor,
) -> Iterator[tuple[tuple[str, str], float]]:
    """Yields each measure on the rows `kept`, of maps fitted to the rows `fitted`."""

    a, b = (centred(X[fitted]) for X in (A, B))
    c, d = (centred(X[kept], X[fitted].mean(dim=0)) for X in (A, B))

    maps = {name: (nearest, b, d) for name, nearest in MAPS.items()}
    maps |= {f"{name}_turned": (MAPS[name], b @ turn, d @ turn) for name in TURNED}
    for name, (nearest, before, after) in maps.items():
        Q = nearest(before.mT @ a)
        mapped = after @ Q

        yield (name, "residual"), residual(c, scale(a, before @ Q) * mapped)
        yield (name, "cosine"), cosine(c, mapped)
        yield (name, "retrieval"), retrieval(c, mapped)
    yield ("none", "cka"), cka(c, d)


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
    """Returns the share of rows of A that are nearer to their own row of B than to any other.

    Nearness is by the angle. Of k rows that are equally near each is right with a probability of
    1/k, so that two sets without any difference between their rows give 1 / rows.
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
    """Returns A − mean, of its own rows unless given; zero where only rounding is left."""

    x = A - (A.mean(dim=0) if mean is None else mean)

    return torch.where(x.norm() > 1e-12 * A.norm(), x, 0.0)


def padded(
    A: Float[Tensor, "rows n"], B: Float[Tensor, "rows m"]
) -> tuple[Float[Tensor, "rows k"], Float[Tensor, "rows k"]]:
    """Returns A and B filled up with zeros to k = max(n, m) coordinates."""

    k = max(A.shape[1], B.shape[1])
    A, B = (torch.nn.functional.pad(X, (0, k - X.shape[1])) for X in (A, B))

    return A, B
