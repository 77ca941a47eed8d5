"""The error of a contrast: that of its seeds, and that of the data they are tested on.

Where the outcomes of test samples were kept, and all arms of a seed were tested on the same ones,
seeds and test items are clustered both ways. Of other numbers of runs whose splits were dealt from
one pool the variance is Nadeau and Bengio's; it cannot be told which numbers do not hang on data,
so that those of a probe of weights alone have wider intervals than they need. Of clocks and sizes
it is known.
"""

__all__ = ["student_of"]

import numpy as np

from ..errors import Unreadable
from ..statistics import Student, clustered, resampled
from .evidence import Evidence
from .terms import Comparison
from .verdict import EVERY

OF_ITEMS = {"test/loss": "loss", "test/accuracy": "score", "test/r2": "score"}
"""The final numbers that are means over test samples, by the column of their outcomes."""

WITHOUT_DATA = ("train_time_s", "steps", "parameters")
"""The final numbers that no data move."""


def student_of(
    evidence: Evidence, comparison: Comparison, values: np.ndarray, scale: float
) -> Student | None:
    """Estimates a contrast with the error of its data; None where seeds have all there is.

    Arguments:
        values: The contrast by seed, of which none is missing.
        scale: The size of the numbers that it is the difference of.
    """

    if comparison.expects in EVERY:
        return None
    metric = evidence.claim.metrics[comparison.metric]
    column = OF_ITEMS.get(metric.column) if metric.of == "summary" and not metric.log else None
    found = _outcomes(evidence, comparison, column, values, scale) if column else None
    if found:
        return clustered(*found, scale)

    ratios = [
        run.provenance.get("resampled") if run else None
        for arm in comparison.weights
        for run in evidence.runs[arm].values()
    ]
    known = [ratio for ratio in ratios if ratio]
    if len(known) < len(ratios) or (metric.of == "summary" and metric.column in WITHOUT_DATA):
        return None

    return resampled(values, max(known), scale)


def _outcomes(
    evidence: Evidence, comparison: Comparison, column: str, values: np.ndarray, scale: float
) -> tuple[list[np.ndarray], list[np.ndarray]] | None:
    """Returns the contrast on each test item by seed, and the items; None unless all have them."""

    contrasts, items = [], []
    for seed, value in zip(evidence.seeds, values, strict=True):
        total, own = -comparison.against, None
        for arm, weight in comparison.weights.items():
            run = evidence.runs[arm][seed]
            try:
                table = evidence.results(run, "items") if run else None
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
