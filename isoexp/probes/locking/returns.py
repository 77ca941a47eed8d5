"""Returns: whether what was perturbed and trained on is back where the unperturbed network is."""

__all__ = ["End", "compared"]

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

from torch import Tensor

from ..junctions import Junction, State
from .orbit import aligned
from .weights import Sample


class End(NamedTuple):
    """What was trained on, its loss on the training split, its answers on the test."""

    state: State
    loss: float
    outputs: Tensor


def compared(
    train: Sample,
    test: Sample,
    free: Sequence[Junction],
    control: End,
    end: End,
    most: float,
    points: int,
) -> dict[str, float]:
    """Returns how a network compares with the one that was not perturbed.

    Arguments:
        train: What losses are measured on.
        test: What answers are compared on.
        free: The junctions that may be turned.
        control: The unperturbed network, trained on.
        end: The network.
        most: The largest barrier within a basin, and the largest excess of the loss.
        points: The number of points of a segment, both ends included.
    """

    losses = control.loss, end.loss
    straight, turned = train.barrier(control.state, end.state, losses, points), nan
    if free:
        nearest = aligned(free, end.state, control.state)
        turned = train.barrier(control.state, nearest, losses, points)
    joined = straight <= most or turned <= most

    return {
        "loss_retrained": end.loss,
        "barrier": straight,
        "barrier_aligned": turned,
        "returned": float(joined and end.loss - control.loss <= most),
        "agreement": test.agreement(end.outputs, control.outputs),
        "accuracy_retrained": test.accuracy(end.outputs),
    }
