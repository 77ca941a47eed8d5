"""Refraction: how far an activation turns a vector, as the vector grows.

Along the ray α x̂, α > 0, the image f(α x̂) has the direction ŷ(α). Three things can happen to it:

    static     ŷ(α) ≠ x̂,       by the angle θ(α; x̂, f) = arccos ŷ(α)·x̂     (Bird 2025, Eqns 5, 7)
    dynamic    ŷ(α) ≠ ŷ(α₀),   at the rate ‖dŷ / d log α‖                             (Eqns 3, 4)
    collapse   ŷ(α) of different rays converge                              (Eqn 6, and the text)

An isotropic activation does none of it. Elementwise tanh turns each ray towards the nearest corner
of the cube, cos θ → ‖x̂‖₁ / √n as α → ∞, and collapses all rays of an orthant: 2ⁿ corners attract
almost every direction. Before that rays part: of two that are φ apart the signs of a share φ/π of
the coordinates differ on average, and wide layers take them to 2 arcsin √(φ/π) > φ, for φ < π/2.
Sigmoid has 2ⁿ − 1 limit points, {0, 1}ⁿ but the origin: where all coordinates are negative, the
largest one wins. ReLU turns most rays, each by the same angle at every α: it has static refraction
and no dynamic one, although the paper ascribes both to all anisotropic activations. GELU and SiLU
go from a half of the identity (α → 0) to ReLU (α → ∞).
"""

__all__ = ["Refraction", "companions", "deflection", "distinct", "turning"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from math import cos, inf, log10, nan, pi, sin
from typing import ClassVar

import numpy as np
import torch
from jaxtyping import Float, Int
from torch import Generator, Tensor

from ..geometry import angle, unit
from ..store.tables import Rows, Schema
from .arguments import check_ascending
from .derivatives import check_vectors, exact, pushforward
from .layers import Layer
from .rows import Columns, cells
from .subject import Over, Subject, Unsuitable

NUMBERS = 2**24
"""The numbers to hold at once, 128 MB, unless a single magnitude takes more."""


@dataclass(frozen=True)
class Refraction:
    """Measures the refraction of rays by each activation of a network, in float64.

    Three kinds of rays: `random`, uniform on the sphere; `data`, the directions of the vectors that
    the activation is really given, at the same magnitudes α; `data_own`, the same at their own
    magnitudes, for which alpha is the median. A layer's weights and biases turn vectors too: only
    the activation is measured here.

    The columns: `theta`, the angle between ŷ(α) and x̂; `dynamic`, the angle between ŷ(α) and
    ŷ(α₀), α₀ the least magnitude measured at which the ray has an image; `turn`, ‖dŷ / d log α‖,
    per e-fold of α; `images`, the number of different ŷ(α) among n; `pair_mean_rad`, the mean angle
    between ŷ(α) and the image of a second ray, pair_rad from the first, and
    `pair_collapsed_fraction`, the share of pairs whose images are one. Where f = 0 there is no
    direction: such rays, and pairs, are left out, and `undefined_fraction` is their share.

    Cost: 0.1 s for two layers of 32. Memory 128 MB, or rays² + 32 rays · n numbers where that is
    more, however many the samples.

    Arguments:
        rays: The number of directions of each kind.
        alpha_min, alpha_max, points: The magnitudes, so many, evenly spaced in log α.
        pair_rad: The angle between the two rays of a pair.
        tolerance_rad: The angle up to which two image directions are one.
    """

    rays: int = 256
    alpha_min: float = 1e-2
    alpha_max: float = 1e3
    points: int = 51
    pair_rad: float = 0.5
    tolerance_rad: float = 1e-2

    over: ClassVar[Over] = "training"
    figure: ClassVar[str] = "isoexp.figures.refraction:draw"
    schema: ClassVar[Schema] = {
        "layer": str, "rays": str, "alpha": float,
        "theta_mean_rad": float, "theta_median_rad": float, "theta_max_rad": float,
        "dynamic_mean_rad": float, "dynamic_max_rad": float,
        "turn_mean_rad": float, "turn_max_rad": float, "images": int,
        "pair_mean_rad": float, "pair_collapsed_fraction": float,
        "undefined_fraction": float, "n": int,
    }  # fmt: skip

    def __post_init__(self) -> None:
        if self.rays < 1 or self.points < 1:
            raise ValueError(
                f"rays and points must be at least 1, got {self.rays} and {self.points}"
            )
        check_ascending(self, "alpha_min", "alpha_max")
        if not 1e-6 <= self.tolerance_rad < self.pair_rad <= pi:
            raise ValueError(
                "1e-6 ≤ tolerance_rad < pair_rad ≤ π must hold, got "
                f"{self.tolerance_rad:g}, {self.pair_rad:g}"
            )

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        seen = subject.vectors(self.rays)
        alphas = torch.logspace(
            log10(self.alpha_min), log10(self.alpha_max), self.points, dtype=torch.float64
        )

        rows = Columns(self.schema)
        for name, layer in subject.layers.items():
            x, fx = seen[name]
            if x.shape != fx.shape:
                continue  # from R^n to R^m, no angle between in and out

            check_vectors(layer, x, fx)
            f, x = exact(layer, x)
            random = torch.randn(
                self.rays, x.shape[1], generator=subject.generator, dtype=torch.float64
            )
            for kind, rays in (("random", random.to(x)), ("data", x)):
                u = unit(rays)
                w = companions(u, self.pair_rad, subject.generator)
                first = torch.full_like(u, nan)
                numbers = len(u) * (32 * u.shape[1] + len(u))  # 32 tensors: f and its derivative
                for r in alphas.split(max(1, NUMBERS // numbers)):
                    key = {"layer": name, "rays": kind, "alpha": r}
                    first = self._add(rows, key, f, r.to(u)[:, None, None], u, w, first)
                if kind == "data":
                    r = torch.linalg.vector_norm(x, dim=-1, keepdim=True)[None]
                    own = {"layer": name, "rays": "data_own", "alpha": r.median()[None]}
                    self._add(rows, own, f, r, u, w, first)

        if not rows["layer"]:
            raise Unsuitable(
                "an activation must give as many features as it takes: there is no angle between "
                "vectors of two spaces"
            )

        return rows

    def _add(
        self,
        rows: Columns,
        key: Mapping[str, str | Tensor],
        f: Layer,
        r: Float[Tensor, "alphas _ 1"],
        u: Float[Tensor, "rays n"],
        w: Float[Tensor, "rays n"],
        first: Float[Tensor, "rays n"],
    ) -> Float[Tensor, "rays n"]:
        """Adds the rows of rays r u, with r w as their pairs; returns ŷ(α₀) of each."""

        x = r * u
        y, t = pushforward(f, x, x)
        image = unit(y)
        least = (~image[..., :1].isnan()).byte().argmax(dim=0, keepdim=True)
        first = torch.where(first.isnan(), image.take_along_dim(least, dim=0)[0], first)

        of_first = angle(image, first.expand_as(image))
        angles = angle(image, x), of_first, turning(y, t), angle(f(r * w), image)
        theta, dynamic, turn, pair = (each.cpu().double() for each in angles)
        collapsed = torch.where(pair.isnan(), nan, (pair <= self.tolerance_rad).double())
        means = {"theta": theta, "dynamic": dynamic, "turn": turn, "pair": pair}

        rows.extend(
            **key,
            **{f"{name}_mean_rad": each.nanmean(dim=-1) for name, each in means.items()},
            theta_median_rad=theta.nanmedian(dim=-1).values,
            theta_max_rad=_max(theta),
            dynamic_max_rad=_max(dynamic),
            turn_max_rad=_max(turn),
            images=distinct(image, self.tolerance_rad),
            pair_collapsed_fraction=collapsed.nanmean(dim=-1),
            undefined_fraction=theta.isnan().double().mean(dim=-1),
            n=theta.shape[-1],
        )

        return first

    def summary(self, rows: Rows) -> dict[str, float]:
        """Returns the largest angles of random rays, and means over layers for data as it is."""

        def of(kind: str, column: str) -> Float[Tensor, " rows"]:
            return torch.tensor(cells(rows, column, rays=kind), dtype=torch.float64)

        return {
            "theta_max_rad": _max(of("random", "theta_max_rad")).item(),
            "dynamic_max_rad": _max(of("random", "dynamic_max_rad")).item(),
            "theta_data_mean_rad": of("data_own", "theta_mean_rad").nanmean().item(),
            "pair_data_mean_rad": of("data_own", "pair_mean_rad").nanmean().item(),
        }


def deflection(
    f: Callable[[Tensor], Tensor], rays: Float[Tensor, "rays n"], alphas: Float[Tensor, " alphas"]
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

    It is the size of a set, filled in their order: its members are further apart than the
    tolerance, and every other direction is within it of a member.
    """

    far = (u @ u.mT < cos(tolerance_rad)).cpu().numpy()
    left = (~u.sum(dim=-1).isnan()).cpu().numpy()

    count = np.zeros(left.shape[:-1], dtype=int)
    for i in range(left.shape[-1]):
        new = left[..., i].copy()
        left &= far[..., i, :] | ~new[..., None]
        count += new

    return count


def _max(values: Float[Tensor, "*some rays"]) -> Float[Tensor, "*some"]:
    """Returns the maximum over rays, NaN left out; NaN where all are."""

    largest = torch.where(values.isnan(), -inf, values).amax(dim=-1)

    return torch.where(values.isnan().all(dim=-1), nan, largest)
