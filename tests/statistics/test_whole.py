"""Whole claims, tuned, on a finite pool: how often their verdicts are wrong, and how often none."""

from dataclasses import replace
from math import sqrt

import pytest

from isoexp.statistics import clustered, mean

from . import whole
from .whole import DESIGNS, decides, is_wrong, verdicts

STUDIES = 80

DIGITS = DESIGNS["digits, m = 4 points"]

MOST = 0.05 + 3 * sqrt(0.05 * 0.95 / STUDIES)
"""5 %, and three standard errors of so many studies."""


@pytest.mark.parametrize("times", [0.0, 1.0, 2.0, -1.0])
def test_few_verdicts_are_wrong(times: float) -> None:
    effect = times * DIGITS.margin
    found = verdicts(DIGITS, effect, 16, STUDIES)

    assert sum(is_wrong(each, effect, DIGITS.margin) for each in found) / STUDIES <= MOST
    if abs(times) == 2:
        assert sum(map(decides, found)) / STUDIES >= 0.8 - 3 * sqrt(0.16 / STUDIES)


def test_the_chance_of_the_pool_left_out_too_many_are(monkeypatch: pytest.MonkeyPatch) -> None:
    """Intervals over the seeds of one split are wrong far more often."""

    def seeds_alone(values, items, scale):
        student = clustered(values, items, scale)
        return replace(mean([each.mean() for each in values], scale), n=student.n)

    one = DIGITS._replace(official=True)
    effect = -one.margin  # where one arm alone makes a verdict
    monkeypatch.setattr(whole, "clustered", seeds_alone)
    found = verdicts(one, effect, 16, STUDIES)
    blind = sum(is_wrong(each, effect, one.margin) for each in found) / STUDIES
    monkeypatch.undo()
    found = verdicts(one, effect, 16, STUDIES)

    assert blind > 2 * MOST
    assert sum(is_wrong(each, effect, one.margin) for each in found) / STUDIES <= MOST
