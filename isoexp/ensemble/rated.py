"""An elementwise optimizer of K networks, each with its own learning rate and weight decay.

    w_k ← (1 − η_k λ_k) w_k − η_k u(g_k)        decoupled decay, or
    w_k ← w_k − η_k u(g_k + λ_k w_k)            decay that is part of the gradient,

with u(g) the step at rate one, which PyTorch's own optimizer makes on a weight that is put back to
zero each time. The update of every elementwise optimizer is linear in η.
"""

__all__ = ["Rated", "own_values"]

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import AdamW, Optimizer

from ..optimizers import along, loss_of, step


class Rated(Optimizer):
    """K optimizers that differ in rate and decay, as one; its state is the inner optimizer's.

    Arguments:
        weights: The weights, the networks along the first axis.
        build: Builds the optimizer of given weights.
        alone: The optimizer of each network by itself, for its rates.
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
            own = {key: own_values(alone, i, key) for key in ("lr", "weight_decay")}
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


def own_values(alone: Sequence[Optimizer], group: int, key: str) -> Float[Tensor, " K"]:
    """Returns the value of a setting in each of K optimizers, for a group of weights."""

    values = [optimizer.param_groups[group][key] for optimizer in alone]

    return torch.tensor(values, dtype=torch.float64)
