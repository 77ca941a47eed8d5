"""The Jacobian J of a layer, by its action on vectors, J v.

The pullback u ↦ Jᵀu of reverse mode is linear in u; J is the pullback of that. PyTorch's forward
mode gives the same, and would import its compiler for each x + 1, for longer than a probe takes.

Source: Townsend, A new trick for calculating Jacobian vector products (2017).
"""

__all__ = ["exact", "jacobian", "pushforward"]

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor

from .layers import Layer


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
    """Returns f(x) and J(x) v; NaN for the latter if f has no derivative.

    Arguments:
        f: The map, over vectors along the last axis.
        x: Where.
        v: The directions, one for each x.
    """

    y, (t,) = _pushforwards(f, x, [v])

    return y, t


def jacobian(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "vectors n"]
) -> Float[Tensor, "vectors m n"]:
    """Returns J(x) column by column; NaN if f has no derivative.

    Arguments:
        f: The map, over vectors along the last axis.
        x: Where.
    """

    basis = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)

    return torch.stack(_pushforwards(f, x, [e.expand_as(x) for e in basis])[1], dim=-1)


def _pushforwards(
    f: Callable[[Tensor], Tensor],
    x: Float[Tensor, "*batch n"],
    directions: Sequence[Float[Tensor, "*batch n"]],
) -> tuple[Float[Tensor, "*batch m"], list[Float[Tensor, "*batch m"]]]:
    """Returns f(x) and J(x) v for each direction v."""

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


def _pullback(
    y: Float[Tensor, "*batch m"],
    x: Float[Tensor, "*batch n"],
    u: Float[Tensor, "*batch m"],
    create_graph: bool = False,
) -> Float[Tensor, "*batch n"]:
    """Returns Jᵀu for the J of the graph between x and y; zero where there is none."""

    if not y.requires_grad:
        return torch.zeros_like(x)

    dot = (y * u).sum()  # grad_outputs=u would import sympy, to compare two shapes

    return torch.autograd.grad(dot, x, retain_graph=True, create_graph=create_graph)[0]
