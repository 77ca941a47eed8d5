"""The Jacobian J of a layer, by its action on vectors, J v: forward-mode differentiation."""

__all__ = ["exact", "jacobian", "pushforward"]

import warnings
from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace

import torch
from jaxtyping import Float
from torch import Tensor
from torch.func import jvp

from .layers import Layer


def exact(layer: Layer, x: Float[Tensor, "vectors n"]) -> tuple[Layer, Float[Tensor, "vectors n"]]:
    """Returns a copy of a layer, and vectors, in float64; both as they are if it refuses it."""

    try:
        copy = replace(layer, module=deepcopy(layer.module).double())
        if copy(x[:1].double()).dtype == torch.float64:
            return copy, x.double()
    except (RuntimeError, TypeError):  # a dtype of its own, a device without float64, no copies
        pass

    return layer, x


def pushforward(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "vectors n"], v: Float[Tensor, "vectors n"]
) -> tuple[Float[Tensor, "vectors m"], Float[Tensor, "vectors m"]]:
    """Returns f(x) and J(x) v; NaN for the latter if f has no forward-mode derivative.

    Arguments:
        f: The map, over vectors along the last axis.
        x: Where.
        v: The directions, one for each x.
    """

    with warnings.catch_warnings():
        # PyTorch's own, when it loads the derivatives of its functions.
        warnings.filterwarnings("ignore", message=r"`torch\.jit\.script` is deprecated")
        try:
            y, t = jvp(f, (x,), (v,))[:2]
        except RuntimeError:
            y = f(x)
            t = torch.full_like(y, torch.nan)

    return y.detach(), t.detach()


def jacobian(
    f: Callable[[Tensor], Tensor], x: Float[Tensor, "vectors n"]
) -> Float[Tensor, "vectors m n"]:
    """Returns J(x) column by column; NaN if f has no forward-mode derivative.

    Arguments:
        f: The map, over vectors along the last axis.
        x: Where.
    """

    basis = torch.eye(x.shape[1], dtype=x.dtype, device=x.device)

    return torch.stack([pushforward(f, x, e.expand_as(x))[1] for e in basis], dim=-1)
