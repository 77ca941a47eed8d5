"""Tests for isoexp.probes.barriers."""

from math import isnan, nan

import pytest
import torch

from isoexp.probes.barriers import barrier, between

pytestmark = pytest.mark.usefixtures("float64")


def test_barriers_in_closed_form() -> None:
    t = torch.linspace(0, 1, 21)

    assert barrier(t, 4 * t * (1 - t) + 3 * t) == pytest.approx(1)
    assert barrier(t, 2 - 5 * t) == pytest.approx(0, abs=1e-15)
    assert barrier(t, (t - 0.5) ** 2) == 0.0  # a valley


@pytest.mark.parametrize("at", [0, 10, 20])
def test_there_is_no_barrier_to_what_has_diverged(at: int) -> None:
    losses = torch.ones(21)
    losses[at] = nan

    assert isnan(barrier(torch.linspace(0, 1, 21), losses))


def test_weights_between_two_networks() -> None:
    one, other = ({"w": torch.randn(3), "count": torch.tensor(n)} for n in (4, 9))
    found = between(one, other, 0.25)

    torch.testing.assert_close(found["w"], 0.75 * one["w"] + 0.25 * other["w"])
    assert found["count"] == 4
    assert torch.equal(between(one, other, 0.0)["w"], one["w"])
    assert torch.equal(between(one, other, 1.0)["w"], other["w"])
