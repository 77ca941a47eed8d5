"""Tests for isoexp.sweep.pace: how many networks are best trained as one."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from isoexp.experiment.lab import Lab
from isoexp.sweep import pace
from isoexp.sweep.pace import Pace, measure

from .jobs import jobs


@pytest.fixture(scope="module")
def bench() -> Lab:
    (job,) = jobs(Path("nowhere"), 1, "steps=1000", "epochs=null")

    return job.lab()


def timed(patch: pytest.MonkeyPatch, of_one: dict[int, float]) -> list[int]:
    """Lets an update of one of so many networks take so long; returns what is asked for."""

    asked: list[int] = []

    def update_s(bench: Any, size: int, compile: bool = False) -> float:
        asked.append(size)
        return size * of_one[size]

    patch.setattr(pace, "_update_s", update_s)
    patch.setattr(pace, "_compiled_update_s", lambda bench, size: float("inf"))

    return asked


@pytest.mark.parametrize(
    ("of_one", "most"),
    [
        ({1: 1.0, 4: 0.5, 16: 0.2, 64: 0.1}, 64),
        ({1: 1.0, 4: 0.5, 16: 0.2, 64: 0.19}, 16),  # hardly faster
        ({1: 1.0, 4: 1.1}, 1),
        ({1: 1.0, 4: 0.9}, 1),
    ],
)
def test_the_fastest_number_is_taken(
    of_one: dict[int, float], most: int, bench: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = timed(monkeypatch, of_one)
    found = measure(bench, 100, 1)

    training_s: Any = pytest.approx(bench.steps * of_one[most])
    assert found == Pace(most, training_s=training_s)
    assert asked == list(of_one)


def test_no_more_than_there_are_and_than_the_memory_holds(
    bench: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = timed(monkeypatch, {1: 1.0, 4: 0.5, 6: 0.3, 16: 0.1})
    assert measure(bench, 6, 1).most == 6

    asked.clear()
    memory = 5 / pace.SHARE * pace._bytes(bench)
    monkeypatch.setattr("isoexp.devices.memory_bytes", lambda device: memory)
    assert measure(bench, 100, 1).most == 4
    assert measure(bench, 100, 2).most == 1
    assert 16 not in asked


def test_what_measuring_takes_is_little_of_the_training(
    bench: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = timed(monkeypatch, {1: 1.0})
    brief = replace(bench, settings=replace(bench.settings, steps=1))

    assert measure(brief, 100, 1).most == 1
    assert asked == [1]


def test_what_is_asked_for_is_not_measured(bench: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = timed(monkeypatch, {1: 1.0})

    assert measure(bench, 100, 1, most=7).most == 7
    assert asked == [1]


def test_compiling_must_pay(bench: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    timed(monkeypatch, {1: 1.0, 4: 2.0})
    monkeypatch.setattr(pace, "_compiled_update_s", lambda bench, size: 0.5)

    assert measure(bench, 100, 1).compile
    timed(monkeypatch, {1: 1e-6, 4: 1.0})
    assert not measure(bench, 100, 1).compile


def test_an_update_takes_time(bench: Lab) -> None:
    assert 0 < pace._update_s(bench, 2) < 60
    assert pace._bytes(bench) > 0
