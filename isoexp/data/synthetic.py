"""Generated sets of known geometry."""

__all__ = ["XOR", "Spheres", "Synthetic", "Teacher", "Waveforms"]

from abc import abstractmethod
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from jaxtyping import Float

from ..streams import stream_seed
from .base import Source, Splits, cut, digest_arrays


@dataclass(frozen=True)
class Synthetic(Source):
    """Abstract generated set of so many samples; its seed is not that of the networks."""

    train: int = 4000
    valid: int = 1000
    test: int = 1000
    seed: int = 0

    def __post_init__(self) -> None:
        self.require_at_least(1, "train", "valid", "test")

    @property
    def outputs(self) -> int:
        """The number of classes, or of values of a vector target."""

        return 2

    @abstractmethod
    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Draws inputs and targets."""

    def fingerprint(self) -> str:
        made = self.load()
        digest = digest_arrays([*made.train, *made.valid, *made.test])

        # Runs on values that were not yet standardised are other runs.
        return digest if made.train.y.dtype.kind in "iu" else f"{digest}-standardized"

    def load(self) -> Splits:
        rng = np.random.default_rng(self.seed)
        x, y = self.draw(rng, self.train + self.valid + self.test)

        return Splits(*cut(x.astype(np.float32), y, self.train, self.valid), outputs=self.outputs)

    def redrawn(self, seed: int) -> Splits:
        """Draws all anew, from (this seed, that of the run): a teacher or a basis, too."""

        return replace(self, seed=stream_seed(seed, "split", self.seed)).load()


@dataclass(frozen=True)
class Spheres(Synthetic):
    """Concentric spheres (rings, for dim=2): the class is the radius, every direction is alike.

    Sphere k = 1, 2, … has radius k; noise is the standard deviation of the radius.
    """

    dim: int = 2
    shells: int = 3
    noise: float = 0.1

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "dim")
        self.require_at_least(2, "shells")
        self.require_at_least(0, "noise")

    @property
    def outputs(self) -> int:
        return self.shells

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        y = rng.integers(self.shells, size=count)
        u = rng.standard_normal((count, self.dim))
        u /= np.linalg.norm(u, axis=1, keepdims=True)
        r = 1 + y + self.noise * rng.standard_normal(count)

        return r[:, None] * u, y


@dataclass(frozen=True)
class XOR(Synthetic):
    """The parity of two signs among many idle dimensions: y = [u·x > 0] xor [v·x > 0], x ~ N(0, I).

    u and v are the first two axes (standard), or a random orthonormal pair (random): the same
    problem, turned.
    """

    dim: int = 100
    basis: Literal["standard", "random"] = "standard"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(2, "dim")
        self.require_choice("basis", ("standard", "random"))

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        axes = np.eye(self.dim, 2)
        if self.basis == "random":
            axes, _ = np.linalg.qr(rng.standard_normal((self.dim, 2)))

        x = rng.standard_normal((count, self.dim))
        side = x @ axes > 0

        return x, (side[:, 0] ^ side[:, 1]).astype(np.int64)


@dataclass(frozen=True)
class Teacher(Synthetic):
    """Regression onto a random network of one hidden layer: y = A tanh(W x + b), x ~ N(0, I).

    Each value of a target has a variance of about one. The teacher's tanh acts elementwise or
    isotropically.
    """

    dim: int = 16
    hidden: int = 16
    values: int = 4
    form: Literal["elementwise", "isotropic"] = "elementwise"

    def __post_init__(self) -> None:
        super().__post_init__()
        self.require_at_least(1, "dim", "hidden", "values")
        self.require_choice("form", ("elementwise", "isotropic"))

    @property
    def outputs(self) -> int:
        return self.values

    def draw(self, rng: np.random.Generator, count: int) -> tuple[np.ndarray, np.ndarray]:
        x = rng.standard_normal((count, self.dim))
        z = x @ rng.standard_normal((self.dim, self.hidden)) / self.dim**0.5
        z += rng.standard_normal(self.hidden)

        if self.form == "elementwise":
            z = np.tanh(z)
        else:
            r = np.linalg.norm(z, axis=1, keepdims=True)
            z = np.tanh(r) / r * z

        y = z @ rng.standard_normal((self.hidden, self.values))
        y = (y - y.mean(axis=0)) / y.std(axis=0)

        return x, y.astype(np.float32)


def sine(u: Float[np.ndarray, "samples T"]) -> Float[np.ndarray, "samples T"]:
    """Returns √2 sin 2πu."""

    return np.sqrt(2) * np.sin(2 * np.pi * u)


def square(u: Float[np.ndarray, "samples T"]) -> Float[np.ndarray, "samples T"]:
    """Returns 1 in the first half of each period, −1 in the second."""

    return np.where(u % 1 < 0.5, 1.0, -1.0)


def sawtooth(u: Float[np.ndarray, "samples T"]) -> Float[np.ndarray, "samples T"]:
    """Returns a rise from −√3 to √3 over each period."""

    return np.sqrt(3) * (2 * (u % 1) - 1)


@dataclass(frozen=True)
class Waveforms(Synthetic):
    """Waveforms in noise: the class is the shape, whatever its frequency, phase and amplitude.

        x(t) = A w(f t / T + φ) + ε(t),    t = 0, …, T − 1,    ε ~ N(0, s²),

    with w of period and power 1: a sine, a square, a sawtooth wave, or a chirp, a sine whose
    frequency rises from f to 3f along the series. Phases are uniform, so that the mean of every
    class is zero. The linear classifier W x + b of least cross-entropy then has W = 0 and guesses:
    there the gradient, Σ_c P(c) E[x] − E[x 1_c], vanishes, and the cross-entropy is convex.

    Arguments:
        length: The number T of time steps.
        noise: The standard deviation s of the noise; the waves have a root mean square of A.
        slowest: The smallest number f of periods in a series; fastest is the largest.
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
