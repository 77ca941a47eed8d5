"""The data of a lab: the splits of a seed, on a device, standardised by their training part.

    data.split=fixed   the same for all seeds
    data.split=seed    of each seed its own, the same for all runs of the seed: drawn anew where the
                       source can, else dealt from the pool of the fixed split's samples

What is dealt is not copied: networks hold indices into one pool, and means and scales of their own
training part.
"""

__all__ = ["Dataset", "Shapes", "load"]

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from weakref import WeakValueDictionary

import numpy as np
import torch
from jaxtyping import Int
from torch import Tensor

from ..config.build import build, own_settings
from ..config.document import parse
from ..data import Factor, Source, Split, Splits, checked
from ..data.base import moments
from ..data.deal import PARTS, dealt, places, pool
from ..errors import UserError, blamed
from ..samples import Subset

DTYPES = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.float32}

Shapes = tuple[tuple[int, ...], int | tuple[int, int]]
"""The shape of an input and the number of outputs; (steps, number) where each step is answered."""


@dataclass(frozen=True, eq=False)
class Dataset:
    """The splits of one seed, or of all.

    Arguments:
        splits: Inputs and targets by the name of the split.
        shape: The shape of an input and the number of outputs.
        factors: The continuous factors behind the test split, by name.
        units: The units of the values of a vector target, in those of the data.
        items: The index of each test sample, the same in all runs that are tested on it.
        resampled: n_test / n_train, where both are dealt anew from one pool; None where not.
        anew: Returns the splits of a seed; None if all have these.
    """

    splits: Mapping[str, tuple[Tensor | Subset, Tensor | Subset]]
    shape: Shapes
    factors: Mapping[str, Factor] = field(default_factory=dict)
    units: tuple[float, ...] = ()
    items: Int[np.ndarray, " test"] = field(default_factory=lambda: np.arange(0))
    resampled: float | None = None
    anew: "Callable[[int], Dataset] | None" = None

    def at(self, seed: int) -> "Dataset":
        """Returns the splits of a seed."""

        return self.anew(seed) if self.anew else self

    @property
    def bytes(self) -> int:
        """The memory that the splits of one more seed take."""

        parts = [part for pair in self.splits.values() for part in pair] if self.anew else []

        return sum((p.rows if isinstance(p, Subset) else p).nbytes for p in parts)


@lru_cache(maxsize=2)
def load(data: str, device: torch.device, precision: str) -> Callable[[int], Dataset]:
    """Loads a data set, once for all jobs of a sweep that share it; returns the splits by seed."""

    config = {"data": parse(data)}
    source: Source = build(config, "data")
    dtype = DTYPES[precision]
    if own_settings(config, "data")["split"] == "seed":
        return _Anew(source, device, dtype)

    with blamed("data"):
        splits = checked(source.load(), type(source).__name__)
    fixed = _dataset(splits.standardized(), device, dtype, places(splits)["test"])

    return lambda seed: fixed


class _Anew:
    """The splits of each seed, for as long as somebody has them."""

    def __init__(self, source: Source, device: torch.device, dtype: torch.dtype) -> None:
        self.source, self.device, self.dtype = source, device, dtype
        self.known: WeakValueDictionary[int, Dataset] = WeakValueDictionary()

    def __call__(self, seed: int) -> Dataset:
        found = self.known.get(seed)
        if found is None:
            with blamed("data"):
                found = self._drawn(seed) or self._pool.dealt(seed)
            self.known[seed] = found = replace(found, anew=self)

        return found

    def _drawn(self, seed: int) -> Dataset | None:
        splits = self.source.redrawn(seed)
        if splits is None:
            return None
        splits = checked(splits, type(self.source).__name__)
        samples = sum(len(getattr(splits, name).x) for name in PARTS)
        if (seed + 1) * samples >= 2**63:
            raise UserError(
                f"seed must be below {2**63 // samples} where {samples} samples are drawn anew, so "
                f"that each has an index of its own, got {seed}"
            )
        items = seed * samples + places(splits)["test"]

        return _dataset(splits.standardized(), self.device, self.dtype, items)

    @cached_property
    def _pool(self) -> "_Pool":
        splits = checked(self.source.load(), type(self.source).__name__)
        if splits.factors and not splits.published:
            raise ValueError(
                "split=seed cannot be: factors are known of the fixed test split alone; draw "
                "all anew, Source.redrawn, or keep the test split, Splits.published"
            )

        return _Pool(splits, self.device, self.dtype)


class _Pool:
    """All samples of a data set on the device, to be dealt.

    Inputs are centred and targets standardised, both by all of them: the rest is done to each part
    in the working precision, which could not tell numbers apart that are far from 0.
    """

    def __init__(self, splits: Splits, device: torch.device, dtype: torch.dtype) -> None:
        x, y = pool(splits)
        self.published, self.factors, self.shape = splits.published, splits.factors, _shape(splits)
        self.fixed, self.targets = places(splits), y
        self.unit = None
        if splits.standardize:
            x = (x - moments(x)[0]).astype(np.float32)
        if y.dtype.kind == "f":
            mean, self.unit = moments(y)
            y = ((y - mean) / self.unit).astype(y.dtype)
        self.x = _Values(x, _tensor(x, device, dtype), splits.standardize)
        self.y = _Values(y, _tensor(y, device, dtype), self.unit is not None)

    def dealt(self, seed: int) -> Dataset:
        """Returns the splits that a seed deals."""

        at = dealt(self.fixed, self.targets, seed, self.published)
        (a, _), (b, std) = self.x.map(at["train"]), self.y.map(at["train"])
        splits = {}
        for name, own in at.items():
            rows = torch.from_numpy(own)[None].to(self.x.tensor.device)
            splits[name] = Subset(self.x.tensor, rows, *a), Subset(self.y.tensor, rows, *b)
        units = () if self.unit is None else tuple((std * self.unit).ravel().tolist())

        ratio = None if self.published else len(at["test"]) / len(at["train"])

        return Dataset(splits, self.shape, self.factors, units, at["test"], ratio)


@dataclass(frozen=True, eq=False)
class _Values:
    """The inputs or the targets of a pool, as an array and on the device."""

    array: np.ndarray
    tensor: Tensor
    scaled: bool

    def map(self, train: Int[np.ndarray, " samples"]) -> tuple[list[Tensor], np.ndarray]:
        """Returns factor and shift that standardise by training samples, and their scale.

        None of them where values stay as they are.
        """

        if not self.scaled:
            return [], np.ones(1)
        mean, std = moments(self.array[train])
        parts = (
            _tensor(each[None], self.tensor.device, self.tensor.dtype)
            for each in (1 / std, -mean / std)
        )

        return list(parts), std


def _dataset(
    splits: Splits, device: torch.device, dtype: torch.dtype, items: Int[np.ndarray, " test"]
) -> Dataset:
    """Returns splits as they are."""

    def tensors(part: Split) -> tuple[Tensor, Tensor]:
        return _tensor(part.x, device, dtype), _tensor(part.y, device, dtype)

    parts = {name: tensors(getattr(splits, name)) for name in PARTS}

    return Dataset(parts, _shape(splits), splits.factors, splits.units, items)


def _tensor(values: np.ndarray, device: torch.device, dtype: torch.dtype) -> Tensor:
    found = torch.from_numpy(values)

    return found.to(device, dtype if found.is_floating_point() else torch.long)


def _shape(splits: Splits) -> Shapes:
    answers = (splits.answers[0], splits.outputs) if splits.answers else splits.outputs

    return splits.inputs, answers
