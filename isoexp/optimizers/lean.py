"""PyTorch's optimizers without its compiler, whose import takes longer than that of torch itself.

An optimizer tells torch.compile to leave it alone, when it is built and at each step, and for
that imports torch._dynamo. No optimizer is compiled here: only forward passes are.
"""

__all__ = ["spare_the_compiler", "step"]

import inspect

import torch
from torch.optim import Optimizer


def spare_the_compiler() -> None:
    """Answers beforehand what optimizers would import torch._dynamo to ask.

    PyTorch keeps the answer, the function itself where nothing is compiled, beside the function;
    where a version of it does not, nothing changes but the time.
    """

    for name in ("add_param_group", "zero_grad", "state_dict", "load_state_dict"):
        function = getattr(getattr(Optimizer, name), "__wrapped__", None)
        if function is not None:
            vars(function).setdefault("__dynamo_disable", function)


def step(optimizer: Optimizer) -> None:
    """Makes one update; for PyTorch's own optimizers without the hooks around step()."""

    if not type(optimizer).__module__.startswith("torch.optim."):
        optimizer.step()
        return

    with torch.no_grad():
        inspect.unwrap(type(optimizer).step)(optimizer)
