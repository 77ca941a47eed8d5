"""The error of a contrast: that of its seeds, and that of the data they are tested on.

Where the outcomes of test samples were kept, and all arms of a seed were tested on the same ones,
seeds and test items are clustered both ways. Of other numbers of runs whose splits were dealt from
one pool the variance is Nadeau and Bengio's; it cannot be told which numbers do not hang on data,
so that those of a probe of weights alone have wider intervals than they need. Of clocks and sizes
it is known.
"""

__all__ = ["WITHOUT_DATA", "student_of", "with_data"]

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..errors import Unreadable
from ..statistics import Student, clustered, resampled
from ..store.run import Run
from .evidence import Evidence
from .terms import Comparison
from .values import results
from .verdict import EVERY

OF_ITEMS = {"test/loss": "loss", "test/accuracy": "score", "test/r2": "score"}
"""The final numbers that are means over test samples, by the column of their outcomes."""

WITHOUT_DATA = ("train_time_s", "steps", "parameters")
"""The final numbers that no data move."""

Arms = Sequence[tuple[float, Sequence[Run]]]
"""The weight of each arm of a contrast, and its runs, one for each value."""

Read = Callable[[Run, str], Any]
"""A function like `results`, which may have read them before."""


def student_of(
    evidence: Evidence, comparison: Comparison, values: np.ndarray, scale: float
) -> Student | None:
    """Estimates the contrast of a claim with the error of its data, as `with_data`."""

    if comparison.expects in EVERY:
        return None
    metric = evidence.claim.metrics[comparison.metric]
    arms = [
        (weight, [run for run in evidence.runs[arm].values() if run])
        for arm, weight in comparison.weights.items()
    ]
    number = metric.column if metric.of == "summary" else ""
    against, read = comparison.against, evidence.results

    return with_data(arms, number, values, scale, against, log=metric.log, read=read)


def with_data(
    arms: Arms,
    number: str,
    values: np.ndarray,
    scale: float = 0.0,
    against: float = 0.0,
    log: bool = False,
    read: Read = results,
) -> Student | None:
    """Estimates a contrast of arms with the error of its data; None where seeds have all there is.

    Arguments:
        number: The final number that is compared; "" of another one.
        values: The contrast by seed, of which none is missing.
        scale: The size of the numbers that it is the difference of.
        against: What is subtracted from the arms.
        log: Whether it is the contrast of logarithms.
        read: Reads the items, and what else is known, of a run.
    """

    column = None if log else OF_ITEMS.get(number)  # ratios have no items
    found = _outcomes(arms, column, values, scale, against, read) if column else None
    if found:
        return clustered(*found, scale)

    if number in WITHOUT_DATA:
        return None
    largest = 0.0
    for run in (run for _, runs in arms for run in runs):
        ratio = read(run, "resampled")
        if not ratio:  # each is a file to be read: no more than are needed
            return None
        largest = max(largest, ratio)

    return resampled(values, largest, scale)


def _outcomes(
    arms: Arms,
    column: str,
    values: np.ndarray,
    scale: float,
    against: float,
    read: Read,
) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """Returns the contrast on each test item by seed, and the items; None unless all have them."""

    contrasts, items = [], []
    for place, value in enumerate(values):
        total, own = -against, None
        for weight, runs in arms:
            try:
                table = read(runs[place], "items")
            except Unreadable:
                table = None
            if table is None:
                return None
            table = table.sort_values("item")
            tested = table["item"].to_numpy()
            if own is not None and not np.array_equal(own, tested):
                return None
            own, total = tested, total + weight * table[column].to_numpy(dtype=float)
        # Outcomes of another training than the summary tells of are none of this contrast.
        if own is None or not abs(np.mean(total) - value) <= 1e-6 * max(scale, abs(value)):
            return None
        contrasts.append(np.asarray(total))
        items.append(own)

    return contrasts, items
