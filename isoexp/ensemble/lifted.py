"""What K networks are trained by, as one: where it differs by real settings, each has its own.

A regularizer, a way to clip or an objective is written for networks along a first axis. For
networks whose own differ it is called by torch.func.vmap on one network at a time, the settings
that differ being tensors of no axis meanwhile; where all are alike nothing is wrapped.
"""

__all__ = ["clip_of", "objective_of", "regularizer_of", "schedule_of"]

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import vmap

from ..regularizers import Regularizer
from .differences import differences

Clip = Callable[[Sequence[Tensor]], Tensor | None]
Schedule = Callable[[int, int], float]
Parts = Tensor | list[Tensor]


def regularizer_of(members: Sequence[Regularizer]) -> Regularizer:
    """Returns what is added to the losses of K networks, of the regularizer of each.

    Raises:
        ValueError: If they differ in more than real settings.
    """

    return _LiftedRegularizer(members) if differences(members) else members[0]


def clip_of(members: Sequence[Clip]) -> Clip:
    """Returns what bounds the gradients of K networks, of what bounds those of each.

    Raises:
        ValueError: If they differ in more than real settings.
    """

    if not differences(members):
        return members[0]
    lifted = _Lifted(members)

    return lambda gradients: lifted(lambda clip, own: clip(own), list(gradients))


def objective_of(members: Sequence[Any]) -> Any:
    """Returns what K networks are trained for, of what each is trained for.

    Raises:
        ValueError: If they differ in more than real settings.
    """

    return _LiftedObjective(members) if differences(members) else members[0]


def schedule_of(
    members: Sequence[Schedule],
) -> Callable[[int, int], float | Float[Tensor, " K"]]:
    """Returns the factor of the learning rates of K networks at update i of n, or of each."""

    if not differences(members):
        return members[0]

    return lambda i, n: torch.tensor([each(i, n) for each in members], dtype=torch.float64)


class _Lifted:
    """K objects that differ in real settings, called as one.

    Raises ValueError if they differ in others, or where a setting cannot be set by itself.
    """

    def __init__(self, members: Sequence[Any]) -> None:
        self.first = deepcopy(members[0])
        self.differences = differences([self.first, *members[1:]])
        self.numbers = [difference.values[0] for difference in self.differences]
        self._put(self.numbers)  # or it is refused

    def __call__(self, call: Callable[..., Tensor | None], *tensors: Parts) -> Tensor | None:
        """Returns call(object, *tensors) of each network, its tensors as those of K = 1."""

        like = next((t for part in tensors for t in _listed(part)), None)
        if like is None:
            return call(self.first, *tensors)
        settings = [
            torch.tensor(each.values, dtype=like.dtype, device=like.device)
            for each in self.differences
        ]

        def one(values: Sequence[Tensor], *own: Parts) -> Tensor | tuple[()]:
            self._put(values)
            try:
                found = call(self.first, *map(_alone, own))
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

    def __call__(
        self,
        weights: Sequence[Float[Tensor, " K ..."]],
        activations: Sequence[Float[Tensor, " K batch ..."]],
    ) -> Float[Tensor, " K"] | None:
        return self.lifted(lambda own, w, h: own(w, h), list(weights), list(activations))


class _LiftedObjective:
    def __init__(self, members: Sequence[Any]) -> None:
        self.score = members[0].score
        self.lifted = _Lifted(members)

    def losses(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        return self._each("losses", outputs, x, y)

    def scores(self, outputs: Tensor, x: Tensor, y: Tensor) -> Float[Tensor, "K batch"]:
        return self._each("scores", outputs, x, y)

    def _each(self, method: str, *tensors: Tensor) -> Float[Tensor, "K batch"]:
        found = self.lifted(lambda own, *alone: getattr(own, method)(*alone), *tensors)
        assert found is not None

        return found


def _listed(part: Parts) -> list[Tensor]:
    return part if isinstance(part, list) else [part]


def _alone(part: Parts) -> Parts:
    """Returns tensors of one network with the axis that counts networks."""

    return [t[None] for t in part] if isinstance(part, list) else part[None]
