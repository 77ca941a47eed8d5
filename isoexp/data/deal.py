"""Dealing: train, valid and test of a run's seed, from the pool of all three.

The pool is train, valid and test of the fixed split, one behind the other; a sample's place in it
is its index, the same for all seeds. The parts keep their sizes and, where targets are one class a
sample, the counts of their classes, so that training sees every class. A published test part is
kept.
"""

__all__ = ["PARTS", "dealt", "pool", "places"]

import numpy as np
from jaxtyping import Int, Shaped

from ..streams import stream_seed
from .base import Split, Splits

PARTS = ("train", "valid", "test")

Places = dict[str, Int[np.ndarray, " samples"]]
"""The indices in the pool of the samples of each part, in order."""


def pool(splits: Splits) -> Split:
    """Returns all samples."""

    parts = [getattr(splits, name) for name in PARTS]

    return Split(np.concatenate([x for x, _ in parts]), np.concatenate([y for _, y in parts]))


def places(splits: Splits) -> Places:
    """Returns the places of the fixed split."""

    ends = np.cumsum([0, *(len(getattr(splits, name).x) for name in PARTS)])

    return {name: np.arange(*ends[i : i + 2]) for i, name in enumerate(PARTS)}


def dealt(
    fixed: Places, y: Shaped[np.ndarray, " pool *outputs"], seed: int, published: bool
) -> Places:
    """Returns the places that the stream (seed, "split") deals.

    Arguments:
        fixed: The places of the fixed split.
        y: The targets of the pool.
        published: Whether the test part is kept.
    """

    mixed = PARTS[: 2 if published else 3]
    sizes = [len(fixed[name]) for name in mixed]
    parts = np.repeat(np.arange(len(mixed)), sizes)
    classes = y[: len(parts)] if y.ndim == 1 and y.dtype.kind == "i" else np.zeros(len(parts), int)

    # RandomState's streams are frozen by NumPy's policy: the splits outlive its versions.
    high, low = divmod(stream_seed(seed, "split"), 2**32)
    order = np.random.RandomState([low, high]).permutation(len(parts))
    # The samples of a class, in random order, take the places that the class has in the parts.
    part = np.empty_like(parts)
    part[order[np.argsort(classes[order], kind="stable")]] = parts[
        np.argsort(classes, kind="stable")
    ]

    return {**fixed, **{name: np.flatnonzero(part == i) for i, name in enumerate(mixed)}}
