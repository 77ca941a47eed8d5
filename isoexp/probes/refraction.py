"""Refraction: how far an activation turns a vector, as the vector grows.

Along the ray α x̂, α > 0, the deflection is the angle

    θ(α; x̂, f) = arccos( f(α x̂)·x̂ / ‖f(α x̂)‖ ).                        (Bird 2025, Eqn 7)

An isotropic activation never turns a ray: θ = 0. Elementwise tanh turns each one towards the
nearest corner of the cube, cos θ → ‖x̂‖₁ / √n as α → ∞. ReLU turns most rays, each by the same
angle at every α: it has static refraction (Eqn 5) and no dynamic one (Eqn 3), although the paper
ascribes both to all anisotropic activations.
"""

__all__ = ["Refraction", "deflection"]

from collections.abc import Callable
from dataclasses import dataclass
from math import log10, nan
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..geometry import angle, unit
from ..records import Rows, Schema
from .subject import Subject, recorded


def deflection(
    f: Callable[[Tensor], Tensor],
    rays: Float[Tensor, "rays n"],
    alphas: Float[Tensor, " alphas"],
) -> Float[Tensor, "alphas rays"]:
    """Returns θ(α) in radians for each magnitude along each ray; NaN where f(α x̂) = 0.

    Arguments:
        f: The map, over vectors along the last axis.
        rays: The directions, of any length but zero.
        alphas: The magnitudes α > 0.
    """

    x = alphas[:, None, None] * unit(rays)

    return angle(f(x), x)


@dataclass(frozen=True)
class Refraction:
    """Measures the deflection by each activation of a network, on random rays and on the data's.

    Three kinds of rays: `random`, uniform on the sphere; `data`, the directions of what the
    activation is really given, at the same magnitudes α; `data_own`, the same at their own
    magnitudes, for which alpha is the median. A layer's weights and biases turn vectors too: the
    deflection is that of the activation alone.

    Arguments:
        rays: The number of directions of each kind.
        alpha_min: The smallest magnitude.
        alpha_max: The largest magnitude.
        points: The number of magnitudes, evenly spaced in log α.
    """

    rays: int = 256
    alpha_min: float = 1e-2
    alpha_max: float = 1e3
    points: int = 51

    schema: ClassVar[Schema] = {
        "layer": str,
        "rays": str,
        "alpha": float,
        "theta_mean_rad": float,
        "theta_median_rad": float,
        "theta_max_rad": float,
        "undefined_fraction": float,
        "n": int,
    }

    def __post_init__(self) -> None:
        if self.rays < 1 or self.points < 1:
            raise ValueError(
                f"rays and points must be at least 1, got {self.rays} and {self.points}"
            )
        if not 0 < self.alpha_min <= self.alpha_max:
            raise ValueError(
                f"0 < alpha_min ≤ alpha_max must hold, got {self.alpha_min:g}, {self.alpha_max:g}"
            )

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        chosen = torch.randperm(len(subject.x), generator=subject.generator)[: self.rays]
        with recorded(subject.activations) as seen:
            subject.model(subject.x[chosen.to(subject.x.device)])

        rows: Rows = {name: [] for name in self.schema}
        for layer, f in subject.activations.items():
            x, fx = (t.flatten(0, -2) for t in seen[layer])
            if x.shape != fx.shape:
                continue  # from R^n to R^N, no angle between in and out

            random = torch.randn(self.rays, x.shape[-1], generator=subject.generator)
            alphas = torch.logspace(log10(self.alpha_min), log10(self.alpha_max), self.points).to(x)

            for kind, rays in (("random", random.to(x)), ("data", x)):
                for alpha in alphas:
                    theta = deflection(f, rays, alpha[None])[0]
                    self._append(rows, layer, kind, alpha.item(), theta)

            own = torch.linalg.vector_norm(x, dim=-1).median().item()
            self._append(rows, layer, "data_own", own, angle(fx, x))

        return rows

    def _append(self, rows: Rows, layer: str, kind: str, alpha: float, theta: Tensor) -> None:
        defined = theta[~theta.isnan()]
        some = len(defined) > 0

        rows["layer"].append(layer)
        rows["rays"].append(kind)
        rows["alpha"].append(alpha)
        rows["theta_mean_rad"].append(defined.mean().item() if some else nan)
        rows["theta_median_rad"].append(defined.median().item() if some else nan)
        rows["theta_max_rad"].append(defined.max().item() if some else nan)
        rows["undefined_fraction"].append(1 - len(defined) / len(theta))
        rows["n"].append(len(theta))

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the largest angle on random rays, and the mean one at the data's own place."""

        pairs = list(zip(rows["rays"], rows["theta_max_rad"], rows["theta_mean_rad"], strict=True))
        largest = [top for kind, top, _ in pairs if kind == "random" and top == top]
        own = [mean for kind, _, mean in pairs if kind == "data_own" and mean == mean]

        return {
            "theta_max_rad": max(largest, default=nan),
            "theta_data_mean_rad": sum(own) / len(own) if own else nan,
        }
