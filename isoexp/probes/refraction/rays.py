"""Rays under a map f: the angles by which it turns them, and the number that it keeps apart.

The image of the ray α x̂, α > 0, has the direction

    ŷ(α) = f(α x̂) / ‖f(α x̂)‖.                                        (Bird 2025, Eqns 3–7)
"""

__all__ = ["companions", "deflection", "distinct", "turning"]

from collections.abc import Callable
from math import cos, sin

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ...geometry import angle, unit


def deflection(
    f: Callable[[Tensor], Tensor],
    rays: Float[Tensor, "rays n"],
    alphas: Float[Tensor, " alphas"],
) -> Float[Tensor, "alphas rays"]:
    """Returns θ(α), the angle between ŷ(α) and x̂ in radians; NaN where f(α x̂) = 0 (Eqn 7).

    f maps vectors along the last axis; rays have any length but zero, and each α > 0.
    """

    x = alphas[:, None, None] * unit(rays)

    return angle(f(x), x)


def turning(y: Float[Tensor, "*batch n"], t: Float[Tensor, "*batch n"]) -> Float[Tensor, "*batch"]:
    """Returns ‖dŷ / d log α‖, in radians per e-fold of α; NaN where y = 0 (Eqn 4).

    y is f(x), x = α x̂, and t its derivative by log α, J x. The result is ‖(I − ŷŷᵀ) t‖ / ‖y‖. A
    projection of t below its rounding counts as zero: near a zero of f the division would make
    noise of it.
    """

    rounding = 64 * torch.finfo(y.dtype).eps

    y, t = y.cpu().double(), t.cpu().double()
    u = unit(y)
    t = t / (y * u).sum(dim=-1, keepdim=True)

    across = torch.linalg.vector_norm(t - (t * u).sum(dim=-1, keepdim=True) * u, dim=-1)
    lost = across <= rounding * torch.linalg.vector_norm(t, dim=-1)

    return torch.where(lost, 0.0, across)


def companions(
    u: Float[Tensor, "rays n"], angle_rad: float, generator: Generator
) -> Float[Tensor, "rays n"]:
    """Returns for each unit vector u a random direction at exactly that angle; NaN for n = 1."""

    v = torch.randn(u.shape, generator=generator, dtype=torch.float64).to(u)
    v = unit(v - (v * u).sum(dim=-1, keepdim=True) * u)

    return cos(angle_rad) * u + sin(angle_rad) * v


def distinct(u: Float[Tensor, "*batch rays n"], tolerance_rad: float) -> Int[np.ndarray, "*batch"]:
    """Returns the number of different directions among unit vectors, NaN left out.

    It is the size of a set, filled in their order: no two members are within the tolerance of each
    other, and each other direction is within that of a member. Where directions come in groups that
    are narrower than the tolerance and further apart, it is the number of groups.
    """

    far = (u @ u.mT < cos(tolerance_rad)).cpu().numpy()
    left = (~u.sum(dim=-1).isnan()).cpu().numpy()

    count = np.zeros(left.shape[:-1], dtype=int)
    for i in range(left.shape[-1]):
        new = left[..., i].copy()
        left &= far[..., i, :] | ~new[..., None]
        count += new

    return count
