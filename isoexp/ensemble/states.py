"""The optimizers of an ensemble, and their state of each network.

The state of a network equals that of its solo optimizer, so that a checkpoint serves either.
"""

__all__ = [
    "ELEMENTWISE", "BuildOptimizer", "Rated", "build_optimizers", "load_states", "rates",
    "state_of",
]  # fmt: skip

from collections.abc import Callable, Iterable, Sequence
from copy import deepcopy
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.optim import (
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    Adamax,
    AdamW,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
)  # fmt: skip

from ..optimizers import Together, along, loss_of, step

ELEMENTWISE = (SGD, Adam, AdamW, RMSprop, Adagrad, Adadelta, Adamax, NAdam, RAdam)
"""Optimizers that treat each coordinate by itself, so that stacking networks changes nothing."""

SHARED = ("step", "mu_product")
"""State that they keep once for all coordinates of a parameter, and so for all networks."""

OF_GROUP = "of_group"
"""The key under which a parameter's state holds the counts of its whole group."""

RATES = frozenset({"lr", "weight_decay"})
"""The settings that stacked networks may each have a value of."""

BuildOptimizer = Callable[[Iterable[Tensor]], Optimizer]


def build_optimizers(
    weights: Sequence[Tensor], builds: Sequence[BuildOptimizer], own_rates: bool
) -> list[Optimizer]:
    """Builds one optimizer of stacked weights, or one for each network if it must be so.

    An optimizer outside ELEMENTWISE may mix the coordinates of a tensor and would take the axis of
    networks for one of features: ours are told of it; of the others each network gets its own, on
    views of its weights. So does each where more than rate and decay differ.
    """

    # Built on one network's own shapes first: Muon refuses all but matrices.
    views = [[nn.Parameter(w.detach()[k]) for w in weights] for k in range(len(builds))]
    first = builds[0](views[0])
    stackable = type(first) in ELEMENTWISE or isinstance(first, Together)
    if stackable and not own_rates and all(build is builds[0] for build in builds):
        return [_stacked(builds[0], weights)]

    alone = [first, *(build(row) for build, row in zip(builds[1:], views[1:], strict=True))]
    differing = _differing(alone)
    if stackable and differing <= RATES:
        rated = own_rates or differing
        return [_rated(builds[0], weights, alone) if rated else _stacked(builds[0], weights)]

    for k, row in enumerate(views):
        for view, w in zip(row, weights, strict=True):
            w.grad = torch.zeros_like(w) if w.grad is None else w.grad
            view.grad = w.grad[k]

    return alone


def _stacked(build: BuildOptimizer, weights: Sequence[Tensor]) -> Optimizer:
    optimizer = build(weights)
    if isinstance(optimizer, Together):
        optimizer.stacked = True

    return optimizer


def _rated(
    build: BuildOptimizer, weights: Sequence[Tensor], alone: Sequence[Optimizer]
) -> Optimizer:
    """Builds the optimizer of stacked weights, with a rate and a decay for each network."""

    if not isinstance(alone[0], Together):
        return Rated(weights, build, alone)

    optimizer = _stacked(build, weights)
    for i, group in enumerate(optimizer.param_groups):
        group.update({key: _own_values(alone, i, key) for key in RATES})

    return optimizer


def _own_values(alone: Sequence[Optimizer], group: int, key: str) -> Float[Tensor, " K"]:
    values = [optimizer.param_groups[group][key] for optimizer in alone]

    return torch.tensor(values, dtype=torch.float64)


def _differing(alone: Sequence[Optimizer]) -> set[str]:
    """Returns the names of the settings in which optimizers differ, or `type`."""

    if len({type(optimizer) for optimizer in alone}) > 1:
        return {"type"}

    return {
        key
        for groups in zip(*(optimizer.param_groups for optimizer in alone), strict=True)
        for key in groups[0]
        if key != "params" and any(group[key] != groups[0][key] for group in groups)
    }


class Rated(Optimizer):
    """Elementwise optimizers that differ in rate and decay, as one; the state is the inner one's.

        w_k ← (1 − η_k λ_k) w_k − η_k u(g_k)        decoupled decay, or
        w_k ← w_k − η_k u(g_k + λ_k w_k)            decay that is part of the gradient,

    with u(g) the step at rate one, which PyTorch's own optimizer makes on a weight that is put back
    to zero each time. The update of every elementwise optimizer is linear in η. The rates are of
    the optimizers that the networks have alone.
    """

    def __init__(
        self,
        weights: Sequence[Float[Tensor, " K ..."]],
        build: Callable[[Iterable[Tensor]], Optimizer],
        alone: Sequence[Optimizer],
    ) -> None:
        steps = [torch.zeros_like(w) for w in weights]
        self.inner = build(steps)
        self.weights = dict(zip(steps, weights, strict=True))

        groups = []
        for i, group in enumerate(self.inner.param_groups):
            own = {key: _own_values(alone, i, key) for key in ("lr", "weight_decay")}
            groups.append({**group, **own})
            group.update(lr=1.0, weight_decay=0.0)

        super().__init__(groups, self.inner.defaults)
        self.state = self.inner.state

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Any] | None = None
    ) -> Any:
        """Makes one update; returns the loss of the closure, if there is one."""

        loss = loss_of(closure)
        groups = self.param_groups
        for group in groups:
            coupled = self._decays(group) and not self._decoupled(group)
            sign = -1 if group.get("maximize") else 1
            for u in group["params"]:
                w = self.weights[u]
                u.grad = w.grad
                if coupled and w.grad is not None:
                    decay = along(group["weight_decay"], w)
                    u.grad = torch.addcmul(w.grad, decay, w, value=sign)

        self.inner.state = self.state  # another one, once a checkpoint is loaded
        step(self.inner)

        for group in groups:
            decoupled = self._decays(group) and self._decoupled(group)
            for u in group["params"]:
                w = self.weights[u]
                if decoupled:
                    w.mul_(1 - along(group["lr"] * group["weight_decay"], w))
                w.addcmul_(u, along(group["lr"], w))
                u.zero_()

        return loss

    def _decays(self, group: dict[str, Any]) -> bool:
        return bool(group["weight_decay"].any())

    def _decoupled(self, group: dict[str, Any]) -> bool:
        return isinstance(self.inner, AdamW) or group.get("decoupled_weight_decay", False)


def rates(optimizers: Sequence[Optimizer], size: int) -> list[float]:
    """Returns each network's learning rate, of its first group of weights."""

    found = [optimizer.param_groups[0]["lr"] for optimizer in optimizers]
    if isinstance(found[0], Tensor):
        return found[0].tolist()

    return found if len(found) == size else found * size


def state_of(optimizers: Sequence[Optimizer], size: int, k: int) -> list[dict[str, Any]]:
    """Returns a copy of the state of network k, a dict a parameter, from optimizers of `size`."""

    stacked = size > 1 and len(optimizers) == 1
    optimizer = optimizers[0] if len(optimizers) == 1 else optimizers[k]

    return [
        {
            key: value[k].clone() if stacked and _is_own(key, value) else deepcopy(value)
            for key, value in {**optimizer.state[p], **_of_group(optimizer, group)}.items()
        }
        for group in optimizer.param_groups
        for p in group["params"]
    ]


def load_states(optimizers: Sequence[Optimizer], states: Sequence[list[dict[str, Any]]]) -> None:
    """Sets the state of the optimizers from the state of each network."""

    for j, optimizer in enumerate(optimizers):
        stacked = len(states) > 1 and len(optimizers) == 1
        merged = {
            i: {
                key: torch.stack([state[i][key] for state in states])
                if stacked and _is_own(key, value)
                else deepcopy(value)
                for key, value in mine.items()
            }
            for i, mine in enumerate(states[j])
        }
        # PyTorch's own loader moves each value to where its optimizer wants it.
        groups = optimizer.state_dict()["param_groups"]
        for group in groups:
            for i in group["params"]:
                group.update(merged[i].pop(OF_GROUP, {}))
        optimizer.load_state_dict({"state": merged, "param_groups": groups})


def _is_own(key: str, value: object) -> bool:
    """Whether an elementwise optimizer keeps this part of its state for each network."""

    return isinstance(value, Tensor) and key not in SHARED


def _of_group(optimizer: Optimizer, group: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Returns the entries that an optimizer has added to a group: some count updates there."""

    ours = ("params", "param_names", "initial_lr", *optimizer.defaults)
    added = {key: value for key, value in group.items() if key not in ours}

    return {OF_GROUP: added} if added else {}
