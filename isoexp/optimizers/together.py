"""Optimizers that serve K networks at once, each as if it were alone.

    W ← (1 − η λ) W − η d,    η the rate, λ the decoupled weight decay, d the direction

The mathematics of a direction is written once, on tensors whose first axis counts the networks;
one network alone is seen as K = 1. Memory is kept in the layout of the parameter, with the axis
of networks only where the parameter has it: a member's memory equals its solo run's.
"""

__all__ = [
    "Memory", "Settings", "Stacked", "Together", "along", "loss_of", "matrices",
    "spare_the_compiler", "step", "unit_or_zero",
]  # fmt: skip

import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.optim import Optimizer
from torch.optim.optimizer import ParamsT

Stacked = Float[Tensor, " K *shape"]
"""A parameter of K networks, or a gradient or direction of it."""

Memory = dict[str, Tensor]
"""The state that an optimizer keeps of a parameter, K networks along the first axis."""

Settings = dict[str, Any]
"""The rates and other settings of a group of parameters."""


class Together(Optimizer, ABC):
    """Abstract optimizer of networks; a member of the family is its memory and its direction.

    The decay is towards zero and apart from the gradient. A direction may depend on more settings.
    """

    stacked = False
    """Whether the first axis of every parameter counts networks; set by an ensemble."""

    def __init__(self, params: ParamsT, lr: float, weight_decay: float, **settings: Any) -> None:
        for name, value in (("lr", lr), ("weight_decay", weight_decay)):
            if not value >= 0:
                raise ValueError(f"{name} must be 0 or more, got {value:g}")

        if not 0 <= settings.get("momentum", 0) < 1:
            raise ValueError(f"momentum must lie in [0, 1), got {settings['momentum']:g}")

        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, **settings})

    @abstractmethod
    def memory(self, w: Stacked, settings: Settings) -> Memory:
        """Returns the memory of a parameter before the first update."""

    @abstractmethod
    def direction(self, g: Stacked, memory: Memory, step: int, settings: Settings) -> Stacked:
        """Returns d for the gradient g, and updates the memory in place; step counts from 1."""

    @torch.no_grad()
    def step(  # pyright: ignore[reportIncompatibleMethodOverride]
        self, closure: Callable[[], Any] | None = None
    ) -> Any:
        """Makes one update; returns the loss of the closure, if there is one."""

        loss = loss_of(closure)
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
        """Returns a view whose first axis counts the networks."""

        return t if self.stacked else t[None]


def matrices(w: Stacked) -> Float[Tensor, "K rows columns"]:
    """Returns a parameter as a matrix with a row for each feature that comes out.

    A convolution's kernel is out × (in·k·k); a vector or a scalar is a matrix of one column.
    """

    return w.flatten(2) if w.dim() > 2 else w.reshape(len(w), -1, 1)


def unit_or_zero(x: Stacked) -> Stacked:
    """Returns x / ‖x‖ over all of a network's coordinates, for any finite norm; 0 where x = 0."""

    flat = x.reshape(len(x), -1)
    s = flat.abs().amax(dim=1, keepdim=True)
    y = flat / torch.where(s == 0, 1.0, s)
    y = y / torch.linalg.vector_norm(y, dim=1, keepdim=True).clamp_min(1.0)

    return y.view_as(x)


def along(values: Float[Tensor, " K"], w: Stacked) -> Float[Tensor, " K ..."]:
    """Returns one number a network in the shape in which it multiplies that network's weights."""

    # The type first: not every device has float64.
    return values.to(w.dtype).to(w.device).view(-1, *[1] * (w.dim() - 1))


def spare_the_compiler() -> None:
    """Keeps optimizers from importing torch._dynamo, which imports longer than torch itself.

    They do so when they are built and at each step, to tell torch.compile to leave them alone; no
    optimizer is compiled here. PyTorch keeps the answer, the method itself where nothing is
    compiled, beside the method; a version that does not only takes more time.
    """

    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        function = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if function is not None:
            vars(function).setdefault("__dynamo_disable", function)


def loss_of(closure: Callable[[], Any] | None) -> Any:
    """Returns the loss that a closure computes, with gradients; None without a closure."""

    if closure is None:
        return None

    with torch.enable_grad():
        return closure()


def step(optimizer: Optimizer) -> None:
    """Makes one update; for PyTorch's own optimizers without the hooks around step()."""

    if not type(optimizer).__module__.startswith("torch.optim."):
        optimizer.step()
        return

    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)
