"""Data sets: fixed train, valid and test splits, whole in memory, as NumPy arrays.

No torch here, so that a finished run is recognised, by the fingerprint of its data too, before
torch is imported.
"""

__all__ = [
    "Factor", "Source", "Split", "Splits", "carve", "carve_classes", "cut", "digest_arrays",
    "digest_files", "moments", "one_hot",
]  # fmt: skip

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int, Shaped


class Split(NamedTuple):
    """Inputs (float32, one a row) and targets (int64 classes, or float32 vectors).

    A sequence is an input of shape (T, D): T time steps of D features, or T tokens of a
    vocabulary of D, one-hot. Its classes are one for the whole sequence, or one a time step.
    """

    x: Float[np.ndarray, " samples *inputs"]
    y: Shaped[np.ndarray, " samples *outputs"]


class Factor(NamedTuple):
    """A continuous quantity that samples were generated from: a hue, an angle, a position.

    The period is of a factor that comes back to itself; None for the others.
    """

    values: Float[np.ndarray, " samples"]
    period: float | None = None


@dataclass(frozen=True)
class Splits:
    """The splits of a data set.

    Arguments:
        valid: The split for choices: rates, stopping, comparisons between settings.
        test: The split for the numbers that are reported, looked at once, at the end.
        outputs: The number of classes, or of values of a vector target.
        standardize: Whether to bring the features to one scale, as measurements need. One-hot
            tokens do not, nor does a series whose time steps share their scale already.
        factors: The continuous factors behind the test split, by name.
        units: What a step of one in each value of a target is in the target's own units, once
            targets have been standardised.
        published: Whether the test split is one that others report on: where each seed deals the
            samples anew, it is kept.
    """

    train: Split
    valid: Split
    test: Split
    outputs: int
    standardize: bool = True
    factors: Mapping[str, Factor] = field(default_factory=dict)
    units: tuple[float, ...] = ()
    published: bool = False

    @property
    def inputs(self) -> tuple[int, ...]:
        """The shape of one input."""

        return self.train.x.shape[1:]

    @property
    def answers(self) -> tuple[int, ...]:
        """The shape of the classes asked for at one input: () for one, (T,) for one a time step.

        A vector target is one answer.
        """

        return self.train.y.shape[1:] if np.issubdtype(self.train.y.dtype, np.integer) else ()

    def standardized(self) -> "Splits":
        """Returns the splits with features and targets of mean 0 and variance 1 in training.

        Each feature by its own mean and scale, unless `standardize` says otherwise, and each value
        of a vector target. What is constant in the training split keeps its scale.
        """

        done = self.scaled(*moments(self.train.x)) if self.standardize else self
        if np.issubdtype(self.train.y.dtype, np.integer):
            return done

        mean, std = moments(self.train.y)
        parts = (
            Split(x, ((y - mean) / std).astype(y.dtype))
            for x, y in (done.train, done.valid, done.test)
        )
        train, valid, test = parts

        return replace(done, train=train, valid=valid, test=test, units=tuple(std.ravel().tolist()))

    def scaled(self, mean: np.ndarray | np.float64, std: np.ndarray | np.float64) -> "Splits":
        """Returns the splits with inputs (x − mean) / std."""

        train, valid, test = (
            Split(((x - mean) / std).astype(np.float32), y)
            for x, y in (self.train, self.valid, self.test)
        )

        return replace(self, train=train, valid=valid, test=test)


def moments(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Returns mean and standard deviation of each column; value and 1 of one that is constant."""

    mean, std = (f(values, axis=0, dtype=np.float64) for f in (np.mean, np.std))
    varies = (values.max(axis=0) > values.min(axis=0)) & (std > 0)  # not by a mean that was rounded

    return np.where(varies, mean, values[0]), np.where(varies, std, 1.0)


class Source(ABC):
    """Abstract data set: a frozen dataclass whose fields are its settings."""

    @abstractmethod
    def load(self) -> Splits:
        """Reads or generates the data, before standardisation."""

    @abstractmethod
    def fingerprint(self) -> str:
        """Returns a hash of the content behind the settings: sets of equal ones load alike.

        Every run asks for it first, finished ones included; it imports no torch.
        """

    def redrawn(self, seed: int) -> Splits | None:
        """Draws all samples anew for the runs of a seed; None if they cannot be, and are dealt.

        Asked for with data.split=seed. Samples that may not be dealt at random, since neighbours in
        train and test would tell of each other, are to be refused by a ValueError.
        """

        return None

    def require_at_least(self, least: int, *settings: str) -> None:
        """Raises ValueError if one of the named settings is below a bound."""

        for setting in settings:
            given = getattr(self, setting)
            if not given >= least:
                bound = f"be at least {least}" if least else "not be negative"
                raise ValueError(f"{setting} must {bound}, got {given}")

    def require_choice(self, setting: str, choices: Iterable[str | int]) -> None:
        """Raises ValueError unless the named setting is one of the choices."""

        given = getattr(self, setting)
        if given not in choices:
            raise ValueError(f"{setting} must be {' or '.join(map(str, choices))}, got {given}")


def cut(x: np.ndarray, y: np.ndarray, *sizes: int) -> list[Split]:
    """Cuts samples into splits of given sizes and a last one of the rest, in their order."""

    ends = np.cumsum(sizes)

    return [Split(*part) for part in zip(np.split(x, ends), np.split(y, ends), strict=True)]


def carve(x: np.ndarray, y: np.ndarray, *sizes: int) -> list[Split]:
    """Cuts samples likewise, shuffled in one fixed order."""

    if sum(sizes) >= len(x):
        raise ValueError(
            f"the validation and test splits take {sum(sizes)} samples, of {len(x)} there are: "
            "nothing is left to train on; lower data.valid"
        )

    # RandomState's streams are frozen by NumPy's policy: the splits outlive its versions.
    order = np.random.RandomState(0).permutation(len(x))

    return cut(x[order], y[order], *sizes)


def carve_classes(x: np.ndarray, y: np.ndarray, parts: int) -> list[Split]:
    """Cuts off splits of a fifth of each class, and a last one of the rest, shuffled likewise.

    A class too small for that gives each split one sample, or none: the rest holds every class.
    """

    order = np.random.RandomState(0).permutation(len(x))
    place = np.full(len(x), parts)
    for k in np.unique(y):
        own = order[y[order] == k]
        held = min(max(1, len(own) // 5), (len(own) - 1) // parts)
        place[own[: parts * held]] = np.repeat(np.arange(parts), held)

    return [
        Split(x[rows], y[rows]) for rows in (order[place[order] == i] for i in range(parts + 1))
    ]


def one_hot(tokens: Int[np.ndarray, "*shape"], size: int) -> Float[np.ndarray, "*shape {size}"]:
    """Returns each token as a row of the identity of the given size, in float32."""

    return np.eye(size, dtype=np.float32)[tokens]


def digest_arrays(arrays: Iterable[np.ndarray]) -> str:
    """Returns a hash of the contents of arrays, in their order."""

    digest = hashlib.blake2b(digest_size=8)
    for array in arrays:
        digest.update(array.tobytes())

    return digest.hexdigest()


def digest_files(paths: Iterable[Path]) -> str:
    """Returns a hash of the names and contents of files, wherever they lie."""

    digest = hashlib.blake2b(digest_size=8)
    for path in sorted(paths):
        with path.open("rb") as file:
            digest.update(path.name.encode())
            digest.update(hashlib.file_digest(file, "blake2b").digest())

    return digest.hexdigest()
