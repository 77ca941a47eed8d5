"""Aggregates over tasks: the interquartile mean and the probability of improvement.

    IQM = the mean of the middle half of all scores, of all tasks together
    P(X > Y) = the mean over tasks of P(x > y) + P(x = y) / 2, x and y runs of one task

Their intervals are of the percentile bootstrap, the runs of each task being drawn anew. Of a few
runs a task they are too narrow: with 3 an interval of 95 % covers three quarters.

Source: Agarwal et al., Deep Reinforcement Learning at the Edge of the Statistical Precipice (2021).
"""

__all__ = ["improvement", "iqm"]

from collections.abc import Sequence
from math import inf

import numpy as np
from jaxtyping import Float

from .results import Estimate, finite

Tasks = Sequence[Sequence[float]] | Sequence[np.ndarray] | np.ndarray
"""The scores of each task, one a run."""


def iqm(tasks: Tasks, level: float = 0.95, draws: int = 10_000) -> Estimate:
    """Returns the interquartile mean with its bootstrap interval.

    Arguments:
        tasks: The scores of each task, one a run.
        level: The level of the interval.
        draws: How often the runs are drawn anew.

    Raises:
        ValueError: If there is no task, one without a run, or a score is not finite.
    """

    from scipy.stats import trim_mean  # takes seconds to import: for those who ask

    scores = _tasks(tasks, "tasks")
    generator = np.random.default_rng(0)
    drawn = [generator.choice(runs, size=(draws, len(runs))) for runs in scores]
    means = trim_mean(np.concatenate(drawn, axis=1), 0.25, axis=1)
    estimate = float(trim_mean(np.concatenate(scores), 0.25))

    return _estimate(estimate, means, [scores], level, "interquartile mean")


def improvement(x: Tasks, y: Tasks, level: float = 0.95, draws: int = 10_000) -> Estimate:
    """Returns the probability that a run of one arm is better than a run of another.

    Arguments:
        x: The scores of each task by the one, one a run.
        y: Those by the other, of the same tasks.
        level: The level of the interval.
        draws: How often the runs are drawn anew.

    Raises:
        ValueError: If the tasks are not the same number, or as for `iqm`.
    """

    a, b = _tasks(x, "x"), _tasks(y, "y")
    if len(a) != len(b):
        raise ValueError(f"both arms must have the same tasks, got {len(a)} and {len(b)}")

    generator = np.random.default_rng(0)
    estimate, means = 0.0, np.zeros(draws)
    for p, q in zip(a, b, strict=True):
        wins = (np.sign(p[:, None] - q) + 1) / 2
        estimate += float(wins.mean()) / len(a)
        # How often each run is drawn says as much as which are, in far fewer numbers.
        often = [generator.multinomial(len(r), np.full(len(r), 1 / len(r)), draws) for r in (p, q)]
        means += np.einsum("di,ij,dj->d", often[0], wins, often[1], optimize=True) / wins.size

    return _estimate(estimate, means / len(a), [a, b], level, "probability of improvement")


def _tasks(tasks: Tasks, name: str) -> list[Float[np.ndarray, " runs"]]:
    found = [finite(runs, f"{name}[{place}]") for place, runs in enumerate(tasks)]
    if not found or not all(len(runs) for runs in found):
        raise ValueError(f"{name} must have runs of each task, got {[len(runs) for runs in found]}")

    return found


def _estimate(
    estimate: float,
    means: Float[np.ndarray, " draws"],
    arms: Sequence[Sequence[Float[np.ndarray, " runs"]]],
    level: float,
    what: str,
) -> Estimate:
    sizes = [len(runs) for tasks in arms for runs in tasks]
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2]).tolist()
    if min(sizes) < 2:  # one run alone is always drawn as it is
        low, high = -inf, inf
    told = f"{min(sizes)} to {max(sizes)}" if min(sizes) < max(sizes) else f"{sizes[0]}"
    method = f"{what} over {len(arms[0])} tasks of {told} runs, stratified bootstrap interval"

    return Estimate(sum(sizes), estimate, low, high, level, method)
