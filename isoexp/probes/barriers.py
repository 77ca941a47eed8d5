"""Barriers: how high the loss rises on the way from some weights to others.

Along a path θ(t), t ∈ [0, 1], with the loss L(t), the barrier is

    max_t [ L(t) − (1 − t) L(0) − t L(1) ].
"""

__all__ = ["barrier", "between"]

import torch
from jaxtyping import Float
from torch import Tensor

from .junctions import State


def barrier(t: Float[Tensor, " points"], losses: Float[Tensor, " points"]) -> float:
    """Returns max_t [L(t) − (1 − t) L(0) − t L(1)] over points of [0, 1], ends included: ≥ 0."""

    return (losses - (1 - t) * losses[0] - t * losses[-1]).max().item()


def between(state: State, other: State, t: float) -> dict[str, Tensor]:
    """Returns the weights (1 − t) θ + t θ'; what counts, and is no number, is that of the first."""

    return {
        name: torch.lerp(w, other[name], t) if w.is_floating_point() else w
        for name, w in state.items()
    }
