"""The outputs of a network's activations, kept by forward hooks while it is called."""

__all__ = ["Observer"]

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from ..activations import activations_of


class Observer:
    """Calls a network, which it gives hooks, and keeps the outputs of each of its activations."""

    def __init__(self, network: nn.Module | None) -> None:
        found = {} if network is None else activations_of(network)
        self.calls: dict[str, list[Tensor]] = {path: [] for path in found}
        self.hooks = [
            module.register_forward_hook(partial(_keep, self.calls[path])).id
            for path, module in found.items()
        ]

    def __call__(
        self, network: Callable[[Tensor], Tensor], x: Tensor
    ) -> tuple[Tensor, list[Tensor]]:
        """Returns the outputs, and each activation's: of several calls, along a second axis."""

        self._clear()
        outputs = network(x)
        seen = [
            calls[0] if len(calls) == 1 else torch.stack(calls, dim=1)
            for calls in self.calls.values()
            if calls
        ]
        self._clear()

        return outputs, seen

    def leave(self, copy: nn.Module) -> None:
        """Removes the hooks from a copy of the network."""

        for module in copy.modules():
            for hook in self.hooks:
                module._forward_hooks.pop(hook, None)

    def _clear(self) -> None:
        for calls in self.calls.values():
            calls.clear()


def _keep(calls: list[Tensor], module: nn.Module, args: tuple[Tensor, ...], output: Tensor) -> None:
    calls.append(output)
