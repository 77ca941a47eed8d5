"""Generated sets of known geometry."""

__all__ = ["XOR", "Spheres", "Teacher"]

from abc import abstractmethod
from dataclasses import dataclass
from typing import Literal

import numpy as np

from .base import Source, Splits, cut, digest_arrays


@dataclass(frozen=True)
class Synthetic(Source):
    """Abstract generated set.

    Arguments:
        train: The number of training samples.
        valid: The number of validation samples.
        test: The number of test samples.
        seed: The seed of the set; the networks have their own.
    """

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

        return digest_arrays(a for split in (made.train, made.valid, made.test) for a in split)

    def load(self) -> Splits:
        rng = np.random.default_rng(self.seed)
        x, y = self.draw(rng, self.train + self.valid + self.test)

        return Splits(*cut(x.astype(np.float32), y, self.train, self.valid), outputs=self.outputs)


@dataclass(frozen=True)
class Spheres(Synthetic):
    """Concentric spheres (rings, for dim=2): the class is the radius, every direction is alike.

    Arguments:
        dim: The number of features n.
        shells: The number of spheres; sphere k has radius k.
        noise: The standard deviation of the radius.
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

    Arguments:
        dim: The number of features n.
        basis: Whether u, v are the first two axes (standard) or a random orthonormal pair
            (random): the same problem, turned.
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

    Arguments:
        dim: The number of features n.
        hidden: The number of hidden features of the teacher.
        values: The number of values of a target, each of variance about one.
        form: Whether the teacher's tanh acts elementwise or isotropically.
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
