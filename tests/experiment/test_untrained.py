"""Tests for isoexp.experiment.untrained: what runs that begin alike share, and what they do not."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pandas as pd
import pytest
import torch

import isoexp
from isoexp.experiment import untrained
from isoexp.experiment.job import prepare
from isoexp.experiment.run import execute
from isoexp.probes import Subject
from isoexp.store.tables import Rows, Schema

from .runs import TINY, composed

pytestmark = pytest.mark.usefixtures("undrawn")

WORDS = (*TINY, "epochs=1", "model.widths=[4]", "probe=none")

asked: list[str] = []
"""What was measured, in the order of it."""


@dataclass(frozen=True)
class Length:
    """How long the answers of a network are."""

    most: int = 8

    schema: ClassVar[Schema] = {"length": float, "drawn": float}

    @torch.no_grad()
    def __call__(self, subject: Subject) -> Rows:
        asked.append("length")
        length = subject.model(subject.x[: self.most]).norm().item()

        return {
            "length": [length],
            "drawn": [torch.rand(1, generator=subject.generator).item()],
        }

    def summary(self, rows: Rows) -> dict[str, float]:
        return {"length": rows["length"][0]}


@dataclass(frozen=True)
class Named(Length):
    """The same, of a probe that looks at the name of the run."""

    def __call__(self, subject: Subject) -> Rows:
        assert subject.name

        return super().__call__(subject)


@pytest.fixture(autouse=True)
def counted(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("ISOEXP_ALLOW", "tests")
    untrained._known.clear()
    asked.clear()
    yield
    untrained._known.clear()


def measured(*each: str, probe: str = "Length", out: str = "runs") -> int:
    """Trains a run of each line of words, and returns how many networks the probe was put to."""

    target = f"+probe.own._target_=tests.experiment.test_untrained.{probe}"
    before = len(asked)
    list(
        execute(
            [prepare(composed((*WORDS, target, *words.split(), f"out={out}"))) for words in each]
        )
    )

    return len(asked) - before


RATES = ("optimizer.lr=1e-3", "optimizer.lr=1e-2")


def test_what_begins_alike_is_measured_once_and_written_of_each() -> None:
    assert measured(*RATES, out="shared") == 3
    for words in RATES:
        untrained._known.clear()
        assert measured(words, out="anew") == 2

    shared, anew = (
        isoexp.read(out, "own").sort_values("optimizer.lr", kind="stable", ignore_index=True)
        for out in ("shared", "anew")
    )
    pd.testing.assert_frame_equal(shared, anew, check_exact=True)


@pytest.mark.parametrize(
    "each",
    [
        ("seed=0", "seed=1"),
        ("activation=iso_relu activation.R0=0.3", "activation=iso_relu activation.R0=0.4"),
        ("activation=tanh", "activation=iso_tanh"),
        ("init=gaussian init.gain=1.0", "init=gaussian init.gain=2.0"),
        ("precision=float32", "precision=float64"),
        ("data.noise=0.1", "data.noise=0.2"),
        ("name=a +probe.own.most=4", "name=b +probe.own.most=6"),
    ],
)
def test_what_begins_otherwise_is_measured_by_itself(each: tuple[str, str]) -> None:
    assert [measured(words) for words in each] == [2, 2]


def test_a_probe_that_asks_for_the_run_is_put_to_each() -> None:
    assert measured(*RATES, probe="Named") == 4


def test_no_more_is_kept_than_is_worth_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The network that was met the longest ago is forgotten first."""

    monkeypatch.setattr(untrained, "MOST", 1)

    assert measured("seed=0", out="a") == 2
    assert measured("seed=0 optimizer.lr=1e-4", out="a") == 1
    assert measured("seed=1", out="a") == 2
    assert measured("seed=0 optimizer.lr=3e-2", out="a") == 2
