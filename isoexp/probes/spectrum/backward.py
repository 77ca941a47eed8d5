"""The gradient of the loss where a layer hands its vectors on."""

__all__ = ["gradient_norms"]

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ...training import rows_at_once
from ..subject import Subject


@torch.enable_grad()
def gradient_norms(subject: Subject) -> dict[str, float]:
    """Returns ‖∂L/∂h‖, the mean over samples, L a sample's loss and h all that a layer gives of it.

    No parameter gets a gradient, and none needs to want one. Samples are taken to lie along the
    first axis of what layers give.

    Raises:
        Unsuitable: If the targets are not known.
    """

    y, objective = subject.task
    x, size = subject.x, rows_at_once(subject.x)

    totals = dict.fromkeys(subject.layers, 0.0)
    for a, b in zip(x.split(size), y.split(size), strict=True):
        with _shifted(subject) as shifts:
            loss = objective.losses(subject.model(a)[None], a[None], b[None]).sum()

        flat = [(name, shift) for name, each in shifts.items() for shift in each]
        grads = torch.autograd.grad(
            loss, [shift for _, shift in flat], allow_unused=True, materialize_grads=True
        )
        squares = {name: torch.zeros(len(a), dtype=torch.float64) for name in totals}
        for (name, _), grad in zip(flat, grads, strict=True):
            squares[name] += grad.reshape(len(a), -1).cpu().double().square().sum(dim=1)
        for name, square in squares.items():
            totals[name] += square.sqrt().sum().item()

    return {name: total / len(x) for name, total in totals.items()}


@contextmanager
def _shifted(subject: Subject) -> Iterator[dict[str, list[Tensor]]]:
    """Has layers add zeros to what they give, call by call, and keeps those: the gradient's place.

    So no tensor of the network itself need be part of a graph, or stay what it was.
    """

    shifts: dict[str, list[Tensor]] = {name: [] for name in subject.layers}

    def after(module: nn.Module, args: tuple[Tensor, ...], out: Tensor) -> Tensor:
        for name, layer in subject.layers.items():
            if layer.module is module and args[0].shape[layer.axis] == layer.width:
                shifts[name].append(torch.zeros_like(out, requires_grad=True))
                return out + shifts[name][-1]
        return out

    modules = {layer.module for layer in subject.layers.values()}
    handles = [module.register_forward_hook(after) for module in modules]
    try:
        yield shifts
    finally:
        for handle in handles:
            handle.remove()
