"""Optimizers that serve K networks at once, each as if it were alone.

    W ← (1 − η λ) W − η d,    η the rate, λ the decoupled weight decay, d the direction

The mathematics of a direction is written once, on tensors whose first axis counts the networks;
one network alone is seen as K = 1. Memory is kept in the layout of the parameter, with the axis
of networks only where the parameter has it, so that a member's is that of a solo run.
"""

__all__ = ["Together", "along", "check_momentum", "matrices", "unit_or_zero"]

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT


class Together(Optimizer, ABC):
    """Abstract optimizer of networks; a member of the family is its memory and its direction.

    Arguments:
        params: The parameters, biases and gains included.
        lr: η, the rate.
        weight_decay: λ, towards zero and apart from the gradient.
        settings: What else a direction depends on.
    """

    stacked = False
    """Whether the first axis of every parameter counts networks; set by an ensemble."""

    def __init__(self, params: ParamsT, lr: float, weight_decay: float, **settings: Any) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value:g}")

        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **settings})

    @abstractmethod
    def memory(
        self, w: Float[Tensor, " K *shape"], settings: dict[str, Any]
    ) -> dict[str, Float[Tensor, " K ..."]]:
        """Returns what is remembered of a parameter before the first update."""

    @abstractmethod
    def direction(
        self,
        g: Float[Tensor, " K *shape"],
        memory: dict[str, Tensor],
        step: int,
        settings: dict[str, Any],
    ) -> Float[Tensor, " K *shape"]:
        """Returns d for the gradient g, and updates the memory in place; step counts from 1."""

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Any] | None = None
    ) -> Any:
        """Makes one update; returns what the closure gives, if there is one."""

        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()

        for group in self.param_groups:
            for p in group["params"]:
                if p.grad is not None:
                    self._update(p, p.grad, group)

        return loss

    def _update(self, p: Tensor, gradient: Tensor, group: dict[str, Any]) -> None:
        w, g = self._lead(p), self._lead(gradient)

        state = self.state[p]
        if not state:
            state["step"] = torch.zeros(())
            for name, value in self.memory(w, group).items():
                state[name] = value if self.stacked else value[0]
        state["step"] += 1

        memory = {name: self._lead(value) for name, value in state.items() if name != "step"}
        d = self.direction(g, memory, int(state["step"]), group)

        lr, decay = group["lr"], group["weight_decay"]
        if isinstance(lr, Tensor):  # a number a network, of a stacked ensemble
            w.mul_(1 - along(lr * decay, w))
            w.addcmul_(d, along(lr, w), value=-1)
        else:
            w.mul_(1 - lr * decay)
            w.add_(d, alpha=-lr)

    def _lead(self, t: Tensor) -> Tensor:
        """Returns a view of a tensor whose first axis counts the networks."""

        return t if self.stacked else t[None]


def check_momentum(momentum: float) -> None:
    """Raises ValueError unless 0 ≤ μ < 1, the share of the past that is kept."""

    if not 0 <= momentum < 1:
        raise ValueError(f"momentum must lie in [0, 1), got {momentum:g}")


def matrices(w: Float[Tensor, " K *shape"]) -> Float[Tensor, "K rows columns"]:
    """Returns a parameter as the matrix that it is, of as many rows as there are features.

    A convolution's kernel is out × (in·k·k); a vector or a scalar is a matrix of one column.
    """

    return w.flatten(2) if w.dim() > 2 else w.reshape(len(w), -1, 1)


def unit_or_zero(x: Float[Tensor, " K *shape"]) -> Float[Tensor, " K *shape"]:
    """Returns x / ‖x‖ over all of a network's coordinates, for any finite norm; 0 where x = 0."""

    flat = x.reshape(len(x), -1)
    s = flat.abs().amax(dim=1, keepdim=True)
    y = flat / torch.where(s == 0, 1.0, s)
    y = y / torch.linalg.vector_norm(y, dim=1, keepdim=True).clamp_min(1.0)

    return y.view_as(x)


def along(values: Float[Tensor, " K"], w: Float[Tensor, " K *shape"]) -> Float[Tensor, " K ..."]:
    """Returns a number a network in the shape that multiplies the weights of each."""

    # The type first: not every device has float64.
    return values.to(w.dtype).to(w.device).view(-1, *[1] * (w.dim() - 1))
