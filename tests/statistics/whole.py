"""Whole claims on a finite pool: three arms against a first, each tuned, and a margin.

An arm is usually wrong on an item whose difficulty for it is below e + c (its rate's distance from
the best)², and a single run deviates from that on 2.2 % of the items. Difficulties of arms are
independent, the worst case. Every seed deals splits anew; the rate of each arm is the best on the
validation items of five seeds of its own. What is asked is of the accuracies, at the best rates,
over all items that there could be: three arms are better than the first by an effect.
"""

__all__ = ["DESIGNS", "Design", "decides", "is_wrong", "verdicts"]

from typing import NamedTuple

import numpy as np

from isoexp.claims.verdict import NULL, Question, Verdict, decide
from isoexp.statistics import clustered

ARMS, RATES, TUNING, DEVIATES = 4, 6, 5, 0.022


class Design(NamedTuple):
    """A data set and what is asked on it.

    Arguments:
        pool: The items that splits are dealt from.
        tested: Those of them that a seed is tested on.
        valid: Those of them by which it is tuned.
        official: Whether all seeds are tested on the same items, as where a test part is published.
        margin: The effect that counts, of accuracies.
        cost: c, the accuracy that a step away from the best rate costs.
    """

    pool: int = 1797
    tested: int = 360
    valid: int = 180
    official: bool = False
    margin: float = 0.04
    cost: float = 0.02


DESIGNS = {
    "digits, m = 4 points": Design(),
    "digits, m = 4 points, all rates alike": Design(cost=0.0),
    "10,000 published test items, m = 1 point": Design(70_000, 10_000, 5_000, True, 0.01, 0.01),
}


def is_wrong(verdict: Verdict, effect: float, margin: float) -> bool:
    """Whether a verdict says what is not so of all arms having an effect."""

    so = {
        "supported": effect > margin,
        "contradicted": effect < -margin,
        NULL: abs(effect) <= margin,
    }

    return not so.get(verdict.verdict, True)


def decides(verdict: Verdict) -> bool:
    """Whether a verdict is not open."""

    return verdict.verdict != "inconclusive"


def verdicts(design: Design, effect: float, n: int, studies: int, seed: int = 0) -> list[Verdict]:
    """Decides claims whose three arms are better than the first by an effect."""

    rng = np.random.default_rng([seed, n, round(1e4 * (effect + 1))])

    return [_verdict(design, effect, n, rng) for _ in range(studies)]


def _verdict(design: Design, effect: float, n: int, rng: np.random.Generator) -> Verdict:
    base = 0.036 + max(effect, 0.0) - np.array([0.0, effect, effect, effect])  # errors at the best
    difficulty = rng.random((ARMS, design.pool))
    distance = np.abs(np.arange(RATES) - 2)
    errors = base[:, None] + design.cost * distance**2  # arms × rates

    def usual(arm: int, rate: int, items: np.ndarray) -> np.ndarray:
        wrong = difficulty[arm, items] < errors[arm, rate]
        return wrong ^ (rng.random(len(items)) < DEVIATES)

    chosen = []
    for arm in range(ARMS):
        scores = np.zeros(RATES)
        for _ in range(TUNING):
            items = rng.choice(design.pool, design.valid, replace=False)
            scores -= [usual(arm, rate, items).mean() for rate in range(RATES)]
        chosen.append(int(scores.argmax()))

    first = rng.choice(design.pool, design.tested, replace=False)
    values: list[list[np.ndarray]] = [[], [], []]
    tested = []
    for _ in range(n):
        own = first if design.official else rng.choice(design.pool, design.tested, replace=False)
        wrong = [usual(arm, chosen[arm], own) * 1.0 for arm in range(ARMS)]
        for arm in (1, 2, 3):
            values[arm - 1].append(wrong[0] - wrong[arm])
        tested.append(own)
    asked = [
        Question(
            np.array([c.mean() for c in each]), "greater", design.margin, scale=1.0,
            student=clustered(each, tested, 1.0),
        )
        for each in values
    ]  # fmt: skip

    return decide(asked)[1]
