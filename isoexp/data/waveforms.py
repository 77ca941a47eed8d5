"""Waveforms in noise: the class is the shape, whatever its frequency, phase and amplitude.

    x(t) = A w(f t / T + φ) + ε(t),    t = 0, …, T − 1,    ε ~ N(0, s²),

with w of period and power 1: a sine, a square, a sawtooth wave, or a chirp, a sine whose
frequency rises from f to 3f along the series. Phases are uniform, so that the mean of every class
is zero. The linear classifier W x + b of least cross-entropy then has W = 0 and guesses: there the
gradient, Σ_c P(c) E[x] − E[x 1_c], vanishes, and the cross-entropy is convex.
"""

__all__ = ["Waveforms"]

from dataclasses import dataclass, replace

import numpy as np
from jaxtyping import Float

from .base import Splits
from .synthetic import Synthetic

Array = Float[np.ndarray, "samples T"]


def sine(u: Array) -> Array:
    """Returns √2 sin 2πu."""

    return np.sqrt(2) * np.sin(2 * np.pi * u)


def square(u: Array) -> Array:
    """Returns 1 in the first half of each period, −1 in the second."""

    return np.where(u % 1 < 0.5, 1.0, -1.0)


def sawtooth(u: Array) -> Array:
    """Returns a rise from −√3 to √3 over each period."""

    return np.sqrt(3) * (2 * (u % 1) - 1)


@dataclass(frozen=True)
class Waveforms(Synthetic):
    """Series of one feature, of 4 shapes: sine, square, sawtooth and chirp.

    Arguments:
        length: The number T of time steps.
        noise: The standard deviation s of the noise; the waves have a root mean square of A.
        slowest: The smallest number f of periods in a series.
        fastest: The largest number f of periods in a series.
        spread: Amplitudes A are uniform between 1 − spread and 1 + spread.
    """

    length: int = 64
    noise: float = 0.3
    slowest: float = 2.0
    fastest: float = 5.0
    spread: float = 0.5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "length")
        self.require_at_least(0, "noise")

        if not 0 < self.slowest <= self.fastest:
            raise ValueError(
                f"slowest must be positive and at most fastest = {self.fastest:g}, "
                f"got {self.slowest:g}"
            )
        if not 6 * self.fastest <= self.length:
            raise ValueError(
                f"fastest must be at most length / 6 = {self.length / 6:g}, got {self.fastest:g}: "
                "a chirp ends at 3 times that, and needs 2 time steps a period"
            )
        if not 0 <= self.spread < 1:
            raise ValueError(f"spread must be at least 0 and below 1, got {self.spread:g}")

    @property
    def outputs(self) -> int:
        return 4

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(self.outputs, size=count)
        f = rng.uniform(self.slowest, self.fastest, size=(count, 1))
        phase = rng.uniform(size=(count, 1))
        amplitude = rng.uniform(1 - self.spread, 1 + self.spread, size=(count, 1))

        t = np.arange(self.length) / self.length
        u = f * t + phase
        chirp = sine(u + f * t**2)
        waves = np.choose(y[:, None], [sine(u), square(u), sawtooth(u), chirp])
        noise = self.noise * rng.standard_normal(waves.shape)

        return (amplitude * waves + noise)[..., None], y

    def load(self) -> Splits:
        return replace(super().load(), standardize=False)
