"""Rays under a map f: how far it turns them, and which of them it keeps apart.

The image of the ray α x̂, α > 0, has the direction

    ŷ(α) = f(α x̂) / ‖f(α x̂)‖.                                        (Bird 2025, Eqns 3–7)
"""

__all__ = ["companions", "deflection", "distinct", "turning"]

from collections.abc import Callable
from math import cos, sin

import numpy as np
import torch
from jaxtyping import Float
from torch import Generator, Tensor

from ...geometry import angle, unit
from ..jacobian import pushforward


def deflection(
    f: Callable[[Tensor], Tensor],
    rays: Float[Tensor, "rays n"],
    alphas: Float[Tensor, " alphas"],
) -> Float[Tensor, "alphas rays"]:
    """Returns θ(α), the angle between ŷ(α) and x̂ in radians; NaN where f(α x̂) = 0 (Eqn 7).

    Arguments:
        f: The map, over vectors along the last axis.
        rays: The directions, of any length but zero.
        alphas: The magnitudes α > 0.
    """

    x = alphas[:, None, None] * unit(rays)

    return angle(f(x), x)


def turning(f: Callable[[Tensor], Tensor], x: Float[Tensor, "rays n"]) -> Float[Tensor, " rays"]:
    """Returns ‖dŷ / d log α‖ at x = α x̂, in radians per e-fold of α; NaN where f(x) = 0 (Eqn 4).

    It is ‖(I − ŷŷᵀ) J x‖ / ‖f(x)‖. What is left of J x after the projection and lies below its
    rounding is zero: near a zero of f the division would make noise of it.

    Arguments:
        f: The map, over vectors along the last axis.
        x: The points, each on a ray of its own.
    """

    y, t = pushforward(f, x, x)
    rounding = 64 * torch.finfo(y.dtype).eps

    y, t = y.double(), t.double()
    s = y.abs().amax(dim=-1, keepdim=True)  # as in unit: no square of a tiny y is lost
    y, t = y / s, t / s
    r = torch.linalg.vector_norm(y, dim=-1, keepdim=True)

    across = torch.linalg.vector_norm(t - ((t * y).sum(dim=-1, keepdim=True) / r) * (y / r), dim=-1)
    lost = across <= rounding * torch.linalg.vector_norm(t, dim=-1)

    return torch.where(lost, 0.0, across / r[..., 0])


def companions(
    u: Float[Tensor, "rays n"], angle_rad: float, generator: Generator
) -> Float[Tensor, "rays n"]:
    """Returns a direction at exactly that angle to each u, uniform among those; NaN for n = 1.

    Arguments:
        u: Unit vectors.
        angle_rad: The angle.
        generator: What the directions are drawn from.
    """

    v = torch.randn(u.shape, generator=generator, dtype=torch.float64).to(u)
    v = unit(v - (v * u).sum(dim=-1, keepdim=True) * u)

    return cos(angle_rad) * u + sin(angle_rad) * v


def distinct(u: Float[Tensor, "rays n"], tolerance_rad: float) -> int:
    """Returns how many of the directions differ; those that are NaN are left out.

    It is the size of a set, filled in their order, of which no two are within the tolerance and
    to which every other is. Where directions come in groups that are narrower than the tolerance
    and further apart, it is the number of groups.

    Arguments:
        u: Unit vectors.
        tolerance_rad: The angle up to which two are one.
    """

    u = u[~u.isnan().any(dim=-1)]
    far = (u @ u.mT < cos(tolerance_rad)).cpu().numpy()

    count, left = 0, np.ones(len(u), dtype=bool)
    for i in range(len(u)):
        if left[i]:
            left &= far[i]
            count += 1

    return count
