"""Regularizers, clips, objectives and schedules of K networks as one, each with its own settings.

All are written for networks along a first axis. Where those of the networks differ in real
settings, they are called by torch.func.vmap on one network at a time, with the settings that differ
as tensors of no axis; where all are alike nothing is wrapped. Every function raises ValueError for
members that differ in more than real settings.
"""

__all__ = ["clip_of", "objective_of", "regularizer_of", "schedule_of"]

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vmap
from torch.utils._pytree import tree_leaves, tree_map

from ..regularizers import Regularizer, Tensors
from .differences import differences

Clip = Callable[[Sequence[Tensor]], Tensor | None]
Schedule = Callable[[int, int], float]
Parts = Tensor | list[Tensor]


def regularizer_of(members: Sequence[Regularizer]) -> Regularizer:
    """Returns the regularizer of K networks."""

    return _LiftedRegularizer(members) if differences(members) else members[0]


def clip_of(members: Sequence[Clip]) -> Clip:
    """Returns the function that bounds the gradients of K networks."""

    if not differences(members):
        return members[0]
    lifted = _Lifted(members)

    return lambda gradients: lifted(lambda clip, own: clip(own), list(gradients))


def objective_of(members: Sequence[Any]) -> Any:
    """Returns the objective of K networks."""

    return _LiftedObjective(members) if differences(members) else members[0]


def schedule_of(members: Sequence[Schedule]) -> Callable[[int, int], float | Float[Tensor, " K"]]:
    """Returns the schedule of K networks: one factor for all, or a tensor of their factors."""

    if not differences(members):
        return members[0]

    return lambda i, n: torch.tensor([each(i, n) for each in members], dtype=torch.float64)


class _Lifted:
    """K objects that differ in real settings, called as one."""

    def __init__(self, members: Sequence[Any]) -> None:
        self.first = deepcopy(members[0])
        self.differences = differences([self.first, *members[1:]])
        self.numbers = [difference.values[0] for difference in self.differences]
        self._put(self.numbers)  # or it is refused

    def __call__(self, call: Callable[..., Tensor | None], *tensors: Parts) -> Tensor | None:
        """Returns call(object, *tensors) of each network, whose tensors have K = 1."""

        like = next(iter(tree_leaves(tensors)), None)
        if like is None:
            return call(self.first, *tensors)
        settings = [
            torch.tensor(each.values, dtype=like.dtype, device=like.device)
            for each in self.differences
        ]

        def one(values: Sequence[Tensor], *own: Parts) -> Tensor | tuple[()]:
            self._put(values)
            try:
                found = call(self.first, *tree_map(lambda t: t[None], own))
            finally:
                self._put(self.numbers)

            return () if found is None else found[0]  # which vmap would not return

        found = vmap(one, randomness="error")(settings, *tensors)

        return None if isinstance(found, tuple) else found

    def _put(self, values: Sequence[Tensor] | Sequence[float]) -> None:
        for difference, value in zip(self.differences, values, strict=True):
            difference.put(value)


class _LiftedRegularizer(Regularizer):
    def __init__(self, members: Sequence[Regularizer]) -> None:
        self.sees_activations = members[0].sees_activations  # pyright: ignore
        self.lifted = _Lifted(members)

    def __call__(self, weights: Tensors, activations: Tensors) -> Float[Tensor, " K"] | None:
        return self.lifted(lambda own, w, h: own(w, h), list(weights), list(activations))


class _LiftedObjective:
    def __init__(self, members: Sequence[Any]) -> None:
        self.score = members[0].score
        self.lifted = _Lifted(members)

    def losses(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        return self._each("losses", outputs, x, y)

    def scores(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        return self._each("scores", outputs, x, y)

    def in_units(
        self, losses: Tensor, outputs: Tensor, x: Tensor, y: Tensor
    ) -> Float[Tensor, "K batch"]:
        return self._each("in_units", losses, outputs, x, y)

    def _each(self, method: str, *tensors: Tensor) -> Float[Tensor, "K batch"]:
        found = self.lifted(lambda own, *alone: getattr(own, method)(*alone), *tensors)
        assert found is not None

        return found
