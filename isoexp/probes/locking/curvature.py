"""Curvature of the loss along curves of weights, θ(t) = θ + t v + ½ t² a + …:

    d²L/dt² = vᵀ H v + g·a    at t = 0,    g = ∇L(θ),    H = ∇²L(θ).

On a straight line a = 0. On the orbit of a rotation v = 𝒜θ and a = 𝒜²θ: along it the loss of an
isotropic network is constant and the sum zero at every θ, although vᵀHv alone is not where g ≠ 0,
since the orbit bends.

The product Hv is the gradient of g·v: H is never formed (Pearlmutter 1994).
"""

__all__ = ["Curve", "second_derivatives"]

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.attention import SDPBackend, sdpa_kernel


class Curve(NamedTuple):
    """The velocity v and the acceleration a of weights, by their names; what is absent is zero."""

    v: Mapping[str, Tensor]
    a: Mapping[str, Tensor]


def second_derivatives(
    loss: Callable[[Mapping[str, Tensor]], Float[Tensor, ""]],
    state: Mapping[str, Tensor],
    curves: Sequence[Curve],
) -> Float[Tensor, " curves"]:
    """Returns d²L/dt² along each curve at t = 0, summed in float64.

    Arguments:
        loss: L, as a function of the weights, with two derivatives.
        state: θ.
        curves: v and a of each curve.
    """

    theta = {name: t.detach().clone().requires_grad_() for name, t in state.items()}
    leaves = list(theta.values())
    # Attention and recurrent layers that are fused have one derivative only.
    whole = sdpa_kernel(SDPBackend.MATH), torch.backends.cudnn.flags(enabled=False)
    with torch.enable_grad(), whole[0], whole[1]:
        g = _gradient(loss(theta), leaves, create_graph=True)

        found = []
        for curve in curves:
            v, a = (_like(part, theta) for part in curve)
            Hv = _gradient(_dot(g, v), leaves)
            found.append(_dot64(Hv, v) + _dot64(g, a))

    return torch.stack(found) if found else torch.zeros(0, dtype=torch.float64)


def _gradient(
    value: Tensor, leaves: Sequence[Tensor], create_graph: bool = False
) -> Sequence[Tensor]:
    if not value.requires_grad:  # a gradient that is constant has no derivative of its own
        return [torch.zeros_like(t) for t in leaves]

    return torch.autograd.grad(
        value, leaves, create_graph=create_graph, retain_graph=True, materialize_grads=True
    )


def _like(part: Mapping[str, Tensor], theta: Mapping[str, Tensor]) -> list[Tensor]:
    return [part[name].to(t) if name in part else torch.zeros_like(t) for name, t in theta.items()]


def _dot(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return torch.stack([(s * t).sum() for s, t in zip(a, b, strict=True)]).sum()


def _dot64(a: Sequence[Tensor], b: Sequence[Tensor]) -> Tensor:
    return _dot([t.detach().cpu().double() for t in a], [t.cpu().double() for t in b])
