"""How arms were tuned, on the page: the best of k trials, and which arm is ahead when."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from isoexp.claims.evidence import Evidence
from isoexp.report.tuning import tuning_figure

from .studies import claimed, two_arms

RATES = [0.001, 0.01, 0.1, 1.0]
STEADY, LUCKY = [0.6, 0.6, 0.6, 0.6], [0.2, 0.2, 0.3, 0.9]


def tuned(study: Path, metric: str, **scores: Sequence[float | None]) -> Evidence:
    def tried(own: Sequence[float | None]) -> list[dict[str, Any]]:
        return [
            {"values": {"optimizer.lr": r}, "score": s, "networks": 2, "failed": int(s is None)}
            for r, s in zip(RATES, own, strict=False)
        ]

    arms = {
        arm: {"chosen": {"optimizer.lr": 0.01}, "edges": [], "tried": tried(own)}
        for arm, own in scores.items()
    }
    grid = {"grid": {"optimizer.lr": RATES}, "metric": metric, "seeds": 2}
    runs = two_arms(study, (0.8,) * 4, (0.9,) * 4)

    return claimed(study, runs, tuned=arms, tuning=grid)


def test_it_says_which_arm_is_ahead_after_how_many_trials(tmp_path: Path) -> None:
    """Of the lucky one a single trial finds 0.4 on average, all four 0.9."""

    figure = tuning_figure(tuned(tmp_path, "valid/accuracy", a=STEADY, b=LUCKY), "tuning")

    assert figure is not None
    assert "a 0.6 to 0.6; b 0.4 to 0.9" in figure.alt
    assert "Ahead is a from 1 trial on, b from 3 trials on." in figure.caption
    assert figure.svg.startswith(b"<?xml")


def test_of_losses_the_least_is_best(tmp_path: Path) -> None:
    figure = tuning_figure(tuned(tmp_path, "valid/loss", a=STEADY, b=LUCKY), "tuning")

    assert figure is not None
    assert "b 0.4 to 0.2" in figure.alt
    assert "b is ahead after any number of them." in figure.caption


@pytest.mark.parametrize("scores", [[0.5, 0.6], [None, None, None, None]])
def test_of_too_few_trials_there_is_no_curve(tmp_path: Path, scores: list) -> None:
    assert tuning_figure(tuned(tmp_path, "valid/accuracy", a=scores), "tuning") is None


def test_a_trial_that_failed_counts_as_the_worst(tmp_path: Path) -> None:
    figure = tuning_figure(tuned(tmp_path, "valid/accuracy", a=[0.8, None, 0.8, 0.8]), "tuning")

    assert figure is not None
    assert "a 0.6 to 0.8" in figure.alt
