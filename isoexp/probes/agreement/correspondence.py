"""Correspondence of two sets of vectors, by the best map of several groups, with its control.

Q = argmin ‖A − s B Q‖ = argmax tr(Qᵀ BᵀA)                                     (procrustes.py)

Row i of A and row i of B stand for one thing.
"""

__all__ = ["MAPS", "TURNED", "compared", "translated"]

from collections.abc import Iterator
from math import nan
from typing import Any

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ...geometry import random_orthogonal, unit
from .. import procrustes
from ..procrustes import Nearest, matching
from ..statistics import mean

MAPS: dict[str, Nearest] = {
    "orthogonal": procrustes.nearest_orthogonal,
    "signed": procrustes.nearest_signed,
    "permutation": procrustes.nearest_permutation,
    "identity": lambda G: torch.eye(len(G)).to(G),
}
"""From the largest group to the smallest, coordinate by coordinate as they are."""

TURNED = ("signed", "permutation")
"""The maps that depend on a basis: they are tried in a random basis of the twin as well."""

Vectors = Float[Tensor, "rows n"]
Others = Float[Tensor, "rows m"]

Measures = dict[tuple[str, str], float]
"""Numbers by the name of the map, and of the measure."""


def compared(A: Vectors, B: Others, halves: int, generator: Generator) -> Iterator[dict[str, Any]]:
    """Yields cells of a row for each map and measure, with shuffled rows of B as the control.

    Maps are fitted on a random half, and measured on the other: means over `halves` draws.
    """

    A, B = padded(A, B)
    values, controls = [], []
    for _ in range(halves):
        parts = torch.randperm(len(A), generator=generator).tensor_split(2)
        turn = random_orthogonal(A.shape[1], generator)
        shuffled = B[torch.randperm(len(B), generator=generator)]
        for found, other in ((values, B), (controls, shuffled)):
            found.append(dict(_measured(A, other, turn, *parts)))

    return _cells(values, controls, len(A) // 2)


def translated(
    A: Vectors, B: Others, halves: int, count: int, generator: Generator
) -> Iterator[dict[str, Any]]:
    """Yields, for each map, the share of words that are matched rightly from their vectors alone.

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

        first, found = procrustes.starts(A, other, count, generator), {}
        for name, nearest in MAPS.items():
            right = order[matching(A, other, nearest, first)] == torch.arange(len(A))
            found[name, "translation"] = right.double().mean().item()
        (controls if k else values).append(found)

    return _cells(values, controls, len(A))


def _cells(values: list[Measures], controls: list[Measures], n: int) -> Iterator[dict[str, Any]]:
    for key in values[0]:
        value, control = ([each[key] for each in found] for found in (values, controls))
        row = {"map": key[0], "measure": key[1], "value": mean(value), "control": mean(control)}
        yield row | {"control_low": min(control), "control_high": max(control), "n": n}


def _measured(
    A: Vectors, B: Vectors, turn: Float[Tensor, "n n"], fitted: Tensor, kept: Tensor
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


def scale(A: Vectors, BQ: Vectors) -> Float[Tensor, ""]:
    """Returns the s ≥ 0 that makes ‖A − s B Q‖ least."""

    return ((A * BQ).sum() / BQ.square().sum()).clamp(min=0)


def residual(A: Vectors, sBQ: Vectors) -> float:
    """Returns ‖A − s B Q‖² / ‖A‖², one minus the share that is explained; NaN where A = 0."""

    error, whole = (A - sBQ).square().sum(), A.square().sum()

    return torch.where(whole > 0, error / whole, nan).item()


def cosine(A: Vectors, B: Vectors) -> float:
    """Returns the mean cosine between rows of A and of B, over those that have a direction."""

    return (unit(A) * unit(B)).sum(dim=1).nanmean().item()


def retrieval(A: Vectors, B: Vectors) -> float:
    """Returns the share of rows of A that are nearer to their own row of B than to any other.

    Nearness is by the angle. Of k rows that are equally near each is right with a probability of
    1/k, so that two sets without any difference between their rows give 1 / rows.
    """

    S = unit(A).nan_to_num() @ unit(B).nan_to_num().mT
    near = (S.amax(dim=1, keepdim=True) - S) < 1e-12

    return (near.diagonal() / near.sum(dim=1)).mean().item()


def cka(A: Vectors, B: Others) -> float:
    """Returns the linear centred kernel alignment, ‖BᵀA‖² / ‖AᵀA‖ ‖BᵀB‖, which no rotation changes.

    Source: Kornblith, Norouzi, Lee and Hinton, Similarity of Neural Network Representations
    Revisited (2019).
    """

    A, B = centred(A), centred(B)

    return ((B.mT @ A).square().sum() / ((A.mT @ A).norm() * (B.mT @ B).norm())).item()


def centred(A: Vectors, mean: Float[Tensor, " n"] | None = None) -> Vectors:
    """Returns A − mean, of its own rows unless given; zero where only rounding is left."""

    x = A - (A.mean(dim=0) if mean is None else mean)

    return torch.where(x.norm() > 1e-12 * A.norm(), x, 0.0)


def padded(A: Vectors, B: Others) -> tuple[Float[Tensor, "rows k"], Float[Tensor, "rows k"]]:
    """Returns A and B filled up with zeros to k = max(n, m) coordinates."""

    missing = B.shape[1] - A.shape[1]
    pad = torch.nn.functional.pad

    return pad(A, (0, max(missing, 0))), pad(B, (0, max(-missing, 0)))
