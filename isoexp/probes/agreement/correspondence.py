"""Correspondence of two sets of vectors, by the best map of several groups, with its control.

Q = argmin ‖A − s B Q‖ = argmax tr(Qᵀ BᵀA)                                     (procrustes.py)
"""

__all__ = ["MAPS", "TURNED", "Measures", "compared", "translated"]

from collections.abc import Iterator

import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ...geometry import random_orthogonal
from ..procrustes import Nearest, nearest_orthogonal, nearest_permutation, nearest_signed
from .measures import centred, cka, cosine, padded, residual, retrieval, scale
from .unpaired import matching, starts

MAPS: dict[str, Nearest] = {
    "orthogonal": nearest_orthogonal,
    "signed": nearest_signed,
    "permutation": nearest_permutation,
    "identity": lambda G: torch.eye(len(G)).to(G),
}
"""From the largest group to the smallest, coordinate by coordinate as they are."""

TURNED = ("signed", "permutation")
"""The maps that speak of a basis, and are tried after the twin has been turned out of its own."""

Measures = dict[tuple[str, str], float]
"""Numbers by the name of the map, and of the measure."""


def compared(
    A: Float[Tensor, "things n"], B: Float[Tensor, "things m"], halves: int, generator: Generator
) -> tuple[list[Measures], list[Measures]]:
    """Returns what is measured of things that are known to belong together, and of shuffled ones.

    Each is fitted on a random half, and measured on the other.

    Arguments:
        A: The things in one network.
        B: The same things in the other.
        halves: How often halves are drawn, and rows shuffled.
        generator: What they are drawn from.
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
    """Returns what share of words is matched rightly from their vectors alone.

    The control is the same once each column of B has been shuffled by itself.

    Arguments:
        A: The words in one network.
        B: The same words in the other.
        halves: How often columns are shuffled.
        count: The number of first matchings.
        generator: What is drawn from.
    """

    A, B = padded(centred(A), centred(B))
    values, controls = [], []
    for k in range(1 + halves):
        order = torch.randperm(len(B), generator=generator)  # so that no tie is broken rightly
        other = B[order]
        if k:
            other = B.gather(0, torch.rand(B.shape, generator=generator).argsort(dim=0))[order]

        first = starts(A, other, count, generator)
        found = {
            (name, "translation"): _share(order[matching(A, other, nearest, first)])
            for name, nearest in MAPS.items()
        }
        (controls if k else values).append(found)

    return values, controls


def _measured(
    A: Float[Tensor, "things n"],
    B: Float[Tensor, "things n"],
    turn: Float[Tensor, "n n"],
    fitted: Tensor,
    kept: Tensor,
) -> Iterator[tuple[tuple[str, str], float]]:
    """Yields each measure on things that were kept from those to which the map was fitted."""

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


def _share(matched: Tensor) -> float:
    """Returns the share of words that are matched with themselves."""

    return (matched == torch.arange(len(matched))).double().mean().item()
