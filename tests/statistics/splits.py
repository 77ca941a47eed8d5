"""Studies of two equally accurate arms, whose test items are a part of a finite pool.

Usually one arm is right and the other wrong on 7 % of the items, half of them either way, and a
single run deviates from what is usual on 2.2 % of them. What is estimated is the difference of the
accuracies over all items that there could be, which is 0.
"""

from typing import NamedTuple

import numpy as np

from isoexp.statistics import Student, clustered, mean, resampled

POOL, TESTED, TRAINED, USUALLY, DEVIATES = 1797, 360, 1257, 0.07, 0.022


class Study(NamedTuple):
    """Contrasts of each seed, and the items that they are of."""

    values: list[np.ndarray]
    items: list[np.ndarray]


def study(rng: np.random.Generator, n: int, fixed: bool, pool: int = POOL) -> Study:
    """Draws a pool, and the outcomes of n seeds on one test split, or each on its own."""

    half = USUALLY / 2
    usual = rng.choice([-1, 0, 1], p=[half, 1 - USUALLY, half], size=pool)
    first = rng.permutation(pool)[:TESTED]
    values, items = [], []
    for _ in range(n):
        own = first if fixed else rng.permutation(pool)[:TESTED]
        wrong = (rng.random((2, TESTED)) < DEVIATES) ^ np.stack([usual[own] < 0, usual[own] > 0])
        values.append(wrong[1] * 1.0 - wrong[0])
        items.append(own)

    return Study(values, items)


METHODS = {
    "one split, t": (True, lambda each: mean([c.mean() for c in each.values], 1.0)),
    "one split, both ways": (True, lambda each: clustered(each.values, each.items, 1.0)),
    "a split a seed, t": (False, lambda each: mean([c.mean() for c in each.values], 1.0)),
    "a split a seed, Nadeau–Bengio": (
        False, lambda each: resampled([c.mean() for c in each.values], TESTED / TRAINED, 1.0),
    ),
    "a split a seed, both ways": (False, lambda each: clustered(each.values, each.items, 1.0)),
}  # fmt: skip
"""Whether there is one split, and how the difference is estimated."""


class Rate(NamedTuple):
    """Of many studies: the share of 95 % intervals that miss 0, their mean half width, and it in
    units of the half width with the variance known."""

    misses: float
    half: float
    ratio: float


def rates(n: int, studies: int, seed: int = 0) -> dict[str, Rate]:
    """Returns how each method does on the same studies of n seeds."""

    found: dict[str, list[Student]] = {name: [] for name in METHODS}
    rng = np.random.default_rng([seed, n])
    for _ in range(studies):
        drawn = {fixed: study(rng, n, fixed) for fixed in (True, False)}
        for name, (fixed, estimate) in METHODS.items():
            found[name].append(estimate(drawn[fixed]))

    told = {}
    for name, each in found.items():
        ends = np.array([student.interval().triple for student in each])
        half = float((ends[:, 2] - ends[:, 1]).mean() / 2)
        misses = float(((ends[:, 1] > 0) | (ends[:, 2] < 0)).mean())
        told[name] = Rate(misses, half, half / (1.96 * float(ends[:, 0].std())))

    return told
