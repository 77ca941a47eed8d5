"""Coloured shapes: pictures whose content is continuous, and known.

One shape on black, of four kinds: a wedge, half a disc, a corner, a ring with its hole off centre.
Each has the area s² and its centroid at (x, y), and only a whole turn brings it back to itself.
With p a point of the picture [−1, 1]², in the shape's own coordinates

    q = Rᵀ_θ (p − (x, y)) / s,    cover(p) = clip(½ − s d(q) / h, 0, 1),

d the signed distance to the kind's outline and h the side of a pixel: the picture moves
continuously with every factor, and by less than a pixel. The colour of hue t is on a circle of RGB,

    c_k(t) = ½ + ½ cos 2π (t − k/3),    k = 0, 1, 2,

and no hue is special, as the corners of HSV's hexagon are.
"""

__all__ = ["KINDS", "Shapes", "cover"]

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import pi, sqrt
from typing import Literal

import numpy as np
from jaxtyping import Float, Int

from .base import Factor, Splits
from .synthetic import Synthetic

Array = Float[np.ndarray, "*points"]


def wedge(u: Array, v: Array) -> Array:
    """Returns the distance to a triangle with sides as 5 : 5 : 16/3 and its tip at (1, 0)."""

    a = 3 / sqrt(9 / 4 + 4 / 9) / 2  # the normal of a side from (1, 0) to (−½, ⅔)
    b = sqrt(1 - a**2)

    return np.maximum(b * (u - 1) + a * abs(v), -0.5 - u)


def half_disc(u: Array, v: Array) -> Array:
    """Returns the distance to half a disc."""

    r = sqrt(2 / pi)
    u = u + 4 * r / (3 * pi)

    return np.maximum(np.hypot(u, v) - r, -u)


def corner(u: Array, v: Array) -> Array:
    """Returns the distance to a square without a quarter."""

    a = 1 / sqrt(3)
    u, v = u - a / 6, v - a / 6

    return np.maximum(np.maximum(abs(u), abs(v)) - a, np.minimum(u, v))


def ring(u: Array, v: Array) -> Array:
    """Returns the distance to a disc with a hole off its centre."""

    r, share, off = 1 / sqrt(pi * (1 - 0.55**2)), 0.55, 0.35
    u = u - off * share**2 / (1 - share**2) * r

    return np.maximum(np.hypot(u, v) - r, share * r - np.hypot(u - off * r, v))


KINDS: dict[str, Callable[[Array, Array], Array]] = {
    "wedge": wedge,
    "half_disc": half_disc,
    "corner": corner,
    "ring": ring,
}
"""The kinds by name, of area 1 and centroid (0, 0); their order gives the classes."""


def cover(
    kinds: Int[np.ndarray, " samples"],
    angle: Float[np.ndarray, " samples"],
    x: Float[np.ndarray, " samples"],
    y: Float[np.ndarray, " samples"],
    size: Float[np.ndarray, " samples"],
    side: int,
) -> Float[np.ndarray, "samples side side"]:
    """Returns the share of each pixel that a shape covers, in rows of `side` from y = −1 to 1.

    Its kind is a place in KINDS, the angle θ in radians, from x towards y; its centroid is at
    (x, y), and its size s the square root of its area.
    """

    h = 2 / side
    grid = (np.arange(side) + 0.5) * h - 1
    covered = np.empty((len(kinds), side, side))

    for kind, distance in enumerate(KINDS.values()):
        of = kinds == kind
        cos, sin, s = (t[of, None, None] for t in (np.cos(angle), np.sin(angle), size))
        dx, dy = grid - x[of, None, None], grid[:, None] - y[of, None, None]
        d = s * distance((cos * dx + sin * dy) / s, (cos * dy - sin * dx) / s)
        covered[of] = np.clip(0.5 - d / h, 0, 1)

    return covered


@dataclass(frozen=True)
class Shapes(Synthetic):
    """Pictures of one coloured shape each; hue, angle, x, y and size are uniform and independent.

    The target is the kind of the shape, 4 classes; or its factors, 7 values of variance one:
    √2 cos and √2 sin of hue and of angle, and x, y and size, centred.

    Arguments:
        side: The number of pixels along an edge.
        position: x and y are between −position and position, of a picture from −1 to 1.
        smallest: The smallest size, the square root of the area.
        largest: The largest size; no shape reaches further from its centroid.
    """

    test: int = 2000
    side: int = 16
    position: float = 0.15
    smallest: float = 0.5
    largest: float = 0.85
    target: Literal["class", "factors"] = "class"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "side")
        self.require_choice("target", ("class", "factors"))

        if not 0 < self.smallest < self.largest:
            raise ValueError(
                f"0 < smallest < largest must hold, got {self.smallest:g}, {self.largest:g}"
            )
        if not 0 < self.position <= 1 - self.largest:
            raise ValueError(
                f"position must be positive and at most 1 − largest = {1 - self.largest:g}, got "
                f"{self.position:g}: shapes would be cut off"
            )

    @property
    def outputs(self) -> int:
        return len(KINDS) if self.target == "class" else 7

    def content(
        self, rng: np.random.Generator, count: int
    ) -> tuple[Int[np.ndarray, " samples"], dict[str, Factor]]:
        """Draws kinds and factors."""

        kinds = rng.integers(len(KINDS), size=count)
        p = self.position

        return kinds, {
            "hue": Factor(rng.uniform(0, 1, count), 1.0),
            "angle": Factor(rng.uniform(0, 2 * pi, count), 2 * pi),
            "x": Factor(rng.uniform(-p, p, count)),
            "y": Factor(rng.uniform(-p, p, count)),
            "size": Factor(rng.uniform(self.smallest, self.largest, count)),
        }

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        kinds, factors = self.content(rng, count)
        hue, angle, x, y, size = (factor.values for factor in factors.values())

        colors = 0.5 + 0.5 * np.cos(2 * pi * (hue[:, None] - np.arange(3) / 3))
        pictures = colors[:, :, None, None] * cover(kinds, angle, x, y, size, self.side)[:, None]
        if self.target == "class":
            return pictures, kinds

        middle, half = (self.smallest + self.largest) / 2, (self.largest - self.smallest) / 2
        turns = (2 * pi * hue, angle)
        circles = [sqrt(2) * f(turn) for turn in turns for f in (np.cos, np.sin)]
        lines = [sqrt(3) * t for t in (x / self.position, y / self.position)]
        values = np.stack([*circles, *lines, sqrt(3) * (size - middle) / half], axis=1)

        return pictures, values.astype(np.float32)

    def load(self) -> Splits:
        made = super().load()
        count = self.train + self.valid + self.test
        _, factors = self.content(np.random.default_rng(self.seed), count)

        # One mean and one scale for all pixels: by their own, the few that shapes hardly ever
        # reach would be drawn out to thousands of standard deviations.
        mean, std = (f(made.train.x, dtype=np.float64) for f in (np.mean, np.std))
        shown = {name: Factor(f.values[-self.test :], f.period) for name, f in factors.items()}

        return replace(made.scaled(mean, std), standardize=False, factors=shown)
