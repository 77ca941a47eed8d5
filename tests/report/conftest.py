"""Studies to report on, and figures that need not be drawn."""

from pathlib import Path

import pytest

from isoexp.figures import arms

from .studies import NASTY, claimed, curve, failed, two_arms


@pytest.fixture
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are empty drawings: they take a tenth of a second each, and are tested apart."""

    monkeypatch.setattr(arms, "svg", lambda how, table: b"<svg/>")


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """The folder of a study, not there yet."""

    return tmp_path / "study"


@pytest.fixture
def nasty(study: Path) -> Path:
    """A study of which people have typed the worst."""

    runs = two_arms(study, (0.80, 0.81, 0.82, 0.80), (0.90, 0.92, 0.91))
    runs["b"].append(failed(study, 99, 3, NASTY, activation="iso_tanh"))
    claimed(
        study,
        runs,
        title=NASTY,
        claim=NASTY,
        section=NASTY,
        expected=NASTY,
        metrics={"accuracy": {"of": "summary", "column": "test/accuracy", "words": NASTY}},
        curve={"of": "metrics", "x": "step", "y": "valid/loss"},
    )
    for run in runs["a"]:
        curve(run, (3.0, 2.0, 1.0))
    failed(study, 100, 0, NASTY, overrides=[f"data.root={NASTY}"])

    return study
