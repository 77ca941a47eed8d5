"""Steps of optimizers without PyTorch's compiler, which takes longer to import than torch itself.

An optimizer tells torch.compile to leave it alone, when it is built and at each step, and for
that imports torch._dynamo. No optimizer is compiled here: only forward passes are.
"""

__all__ = ["loss_of", "spare_the_compiler", "step"]

import inspect
from collections.abc import Callable
from typing import Any

import torch
from torch.optim import Optimizer


def spare_the_compiler() -> None:
    """Keeps optimizers from importing torch._dynamo to ask whether a method is compiled.

    PyTorch keeps the answer, the method itself where nothing is compiled, beside the method; a
    version that does not only takes more time.
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
