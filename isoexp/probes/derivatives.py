"""Derivatives: the Jacobian J of a layer, and the gradient ∂L/∂h of the loss behind it.

The pullback u ↦ Jᵀu of reverse mode is linear in u; J is the pullback of that. PyTorch's forward
mode gives the same, and would import its compiler for each x + 1, for longer than a probe takes.

Source: Townsend, A new trick for calculating Jacobian vector products (2017).
"""

__all__ = ["check_vectors", "exact", "gradient_norms", "jacobian", "pushforward"]

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from ..errors import one_line
from .layers import Call, Layer, hooked
from .subject import Subject, Unsuitable, batches


def check_vectors(
    layer: Layer, x: Float[Tensor, "vectors n"], y: Float[Tensor, "vectors m"]
) -> None:
    """Refuses a layer that does not give y for x, vector by vector, as recurrences do not.

    A half of them may differ: where a function jumps rounding decides.
    """

    try:
        z = layer(x)
        off = torch.linalg.vector_norm(z - y, dim=-1) > 1e-3 * torch.linalg.vector_norm(y, dim=-1)
    except Exception as error:  # of anybody's class
        what = f"{layer.name} must be a map of single vectors: {one_line(error)}"
        raise Unsuitable(what) from error
    if 2 * int(off.sum()) > len(off):
        raise Unsuitable(
            f"{layer.name} must be a map of single vectors, what it gives depends on more than one"
        )


def exact(layer: Layer, x: Float[Tensor, "vectors n"]) -> tuple[Layer, Float[Tensor, "vectors n"]]:
    """Returns a copy of a layer, and vectors, in float64 on the CPU; as they are if it refuses."""

    try:
        copy = replace(layer, module=deepcopy(layer.module).cpu().double())
        z = x.cpu().double()
        if copy(z[:1]).dtype == torch.float64:
            return copy, z
    except (RuntimeError, TypeError):  # a dtype or a device of its own, no copies
        pass

    return layer, x


def pushforward(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "*batch n"], v: Float[Tensor, "*batch n"]
) -> tuple[Float[Tensor, "*batch m"], Float[Tensor, "*batch m"]]:
    """Returns f(x) and J(x) v, with a direction v for each x; NaN for J v without a derivative."""

    y, (t,) = _pushforwards(f, x, [v])

    return y, t


def jacobian(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "vectors n"]
) -> Float[Tensor, "vectors m n"]:
    """Returns J(x) of a map of vectors; NaN if f has no derivative."""

    basis = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)

    return torch.stack(_pushforwards(f, x, [e.expand_as(x) for e in basis])[1], dim=-1)


def _pushforwards(
    f: Callable[[Tensor], Tensor], x: Tensor, directions: Sequence[Tensor]
) -> tuple[Tensor, list[Tensor]]:
    try:
        with torch.enable_grad():
            x = x.detach().requires_grad_()
            y = f(x)
            u = torch.zeros_like(y, requires_grad=True)
            pulled = _pullback(y, x, u, create_graph=True)
            pushed = [_pullback(pulled, u, v) for v in directions]

        return y.detach(), pushed
    except RuntimeError:
        y = f(x.detach()).detach()

        return y, [torch.full_like(y, torch.nan)] * len(directions)


def _pullback(y: Tensor, x: Tensor, u: Tensor, create_graph: bool = False) -> Tensor:
    """Returns Jᵀu for the J of the graph between x and y; zero where there is no graph."""

    if not y.requires_grad:
        return torch.zeros_like(x)
    dot = (y * u).sum()  # grad_outputs=u would import sympy, to compare two shapes

    return torch.autograd.grad(dot, x, retain_graph=True, create_graph=create_graph)[0]


@torch.enable_grad()
def gradient_norms(subject: Subject) -> dict[str, float]:
    """Returns the mean of ‖∂L/∂h‖ over samples: L a sample's loss, h all outputs of a layer for it.

    No parameter gets a gradient, and none needs to want one. Samples must lie along the first axis
    of a layer's outputs.
    """

    y, objective = subject.task

    totals = dict.fromkeys(subject.layers, 0.0)
    for a, b in batches(subject.x, y):
        # Zeros added to the outputs of layers: the network itself need be part of no graph.
        shifts: list[tuple[str, Tensor]] = []

        def shifted(call: Call, shifts: list = shifts) -> Tensor | None:
            for name, layer in subject.layers.items():
                if layer.meets(call.module, call.x):
                    shifts.append((name, torch.zeros_like(call.y, requires_grad=True)))
                    return call.y + shifts[-1][1]
            return None

        with hooked({layer.module for layer in subject.layers.values()}, after=shifted):
            loss = objective.losses(subject.model(a)[None], a[None], b[None]).sum()

        grads = torch.autograd.grad(
            loss, [shift for _, shift in shifts], allow_unused=True, materialize_grads=True
        )
        squares = {name: torch.zeros(len(a), dtype=torch.float64) for name in totals}
        for (name, _), grad in zip(shifts, grads, strict=True):
            squares[name] += grad.reshape(len(a), -1).cpu().double().square().sum(dim=1)
        for name, square in squares.items():
            totals[name] += square.sqrt().sum().item()

    return {name: total / len(subject.x) for name, total in totals.items()}
