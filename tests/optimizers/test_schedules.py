"""Tests for isoexp.optimizers.schedules."""

import itertools
import math

import pytest

from isoexp.optimizers import Constant, Cosine


def test_constant_is_one() -> None:
    assert [Constant()(i, 5) for i in range(1, 6)] == [1.0] * 5


@pytest.mark.parametrize("schedule", [Constant(warmup=0.4), Cosine(warmup=0.4)], ids=repr)
def test_warmup_is_linear_from_zero(schedule: Constant) -> None:
    """Over the first 4 of 10 updates: a quarter, a half, three quarters, all of the rate."""

    factors = [schedule(i, 10) for i in range(1, 5)]

    assert factors == pytest.approx([0.25, 0.5, 0.75, 1.0])


def test_constant_stays_after_the_warmup() -> None:
    assert [Constant(warmup=0.4)(i, 10) for i in range(4, 11)] == [1.0] * 7


@pytest.mark.parametrize("floor", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("warmup", [0.0, 0.2])
def test_cosine_is_its_formula(warmup: float, floor: float) -> None:
    schedule, total = Cosine(warmup, floor), 50
    start = warmup * total

    for i in range(int(start) + 1, total + 1):
        t = (i - 1 - start) / (total - start)
        expected = floor + (1 - floor) * (1 + math.cos(math.pi * t)) / 2
        assert schedule(i, total) == pytest.approx(expected, abs=1e-15)

    middle = int(start + (total - start) / 2)
    assert schedule(middle + 1, total) == pytest.approx((1 + floor) / 2)


def test_cosine_wastes_no_update() -> None:
    """The first after the warm-up has the full rate, the last some rate, and a lone one all."""

    factors = [Cosine(warmup=0.0)(i, 10) for i in range(1, 11)]

    assert factors[0] == 1.0
    assert 0 < factors[-1] < 0.03
    assert Cosine()(1, 1) == 1.0


def test_cosine_never_rises_after_the_warmup_and_never_jumps() -> None:
    factors = [Cosine(warmup=0.1)(i, 1000) for i in range(1, 1001)]

    assert factors.index(max(factors)) + 1 == 100
    assert factors[99:] == sorted(factors[99:], reverse=True)
    assert all(0 <= f <= 1 for f in factors)
    assert max(abs(a - b) for a, b in itertools.pairwise(factors)) < 0.011


@pytest.mark.parametrize("total", [1, 2, 3])
@pytest.mark.parametrize("schedule", [Constant(), Constant(0.5), Cosine(), Cosine(0.9, 0.5)])
def test_short_trainings_have_their_factors(schedule: Constant, total: int) -> None:
    assert all(0 <= schedule(i, total) <= 1 for i in range(1, total + 1))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Constant(warmup=1.0), r"warmup must be a share in \[0, 1\), got 1"),
        (lambda: Cosine(warmup=-0.1), r"warmup must be a share in \[0, 1\), got -0.1"),
        (lambda: Cosine(floor=1.5), "floor must lie between 0 and 1, got 1.5"),
    ],
)
def test_refuses_what_is_no_share(make, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make()
