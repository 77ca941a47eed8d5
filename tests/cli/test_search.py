"""The command isoexp search, its networks trained in this process."""

import shlex
from pathlib import Path

import pytest

from isoexp.config.groups import COMMANDS

from ..commands import Command
from ..experiment.runs import TINY
from ..search.here import Here

SPACE = ("optimizer.lr=tag(log,interval(1e-4,1e-1))", "model.widths=choice([4],[4,4])")
WORDS = (*TINY, "epochs=1", "search.trials=4", "search.ask=4", "sweep.workers=1", "name=found")

MISTAKES = {
    "search": "needs what to search",
    "search epochs=1": "needs what to search",
    "search --dryrun seed=3": "did you mean --dry-run?",
    "search activation=tanh,relu search.metric=test/accuracy": "choose by the validation split",
    "search activation=tanh,relu search.metric=probe/spectrum/rank": "by the validation split",
    "search activation=tanh,relu search.metric=valid/acc": "one of valid/loss, valid/accuracy",
    "search activation=tanh,relu search.metric=valid/r2": "must be valid/loss or valid/accuracy",
    "search activation=tanh,relu search.trails=3": "did you mean search.trials?",
    "search activation=tanh,relu search.trials=0": "at least 1",
    "search activation=tanh,relu search.sampler=tpo": "one of tpe, random",
    "search activation=tanh,relu search.prune=true": "one of none, median",
    "search activation=tanh,relu sweep.union=['seed=1']": "are for isoexp train -m",
    "search activation=tanh,relu force=true": "name=…",
    "search model.widths=choice([4],[0])": "widths must be positive",
    "search seed=0,1,2": "seeds=3 takes the mean",
    "search activation=tanh,relu hydra/launcher=basic": "submitit_slurm or ray",
    "train search.trials=3": "for searches: isoexp search search.trials=3",
}


@pytest.mark.parametrize("line", MISTAKES)
def test_one_clear_line(line: str, isoexp: Command, folder: Path) -> None:
    outcome = isoexp(*line.split())

    assert outcome.code == 2, outcome
    assert outcome.err.count("\n") == 1, outcome.err
    assert MISTAKES[line] in outcome.err
    assert outcome.out == ""
    assert list(folder.iterdir()) == []


def test_without_optuna_it_says_what_to_install(
    isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isoexp.cli.search.find_spec", lambda name: None)
    outcome = isoexp("search", "activation=tanh,relu")

    assert outcome.code == 2
    assert "pip install isoexp[search]" in outcome.err


def test_the_best_is_a_command_that_has_been_run(
    isoexp: Command, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("isoexp.cli.sweep.Workers", Here)

    dry = isoexp("search", "--dry-run", *WORDS, *SPACE)
    assert dry.code == 0
    assert "0.0001 to 0.1, by its logarithm" in dry.out
    assert "[4], [4,4]" in dry.out
    assert list(folder.iterdir()) == []

    first = isoexp("search", *WORDS, *SPACE)
    assert first.code == 0, first
    assert "4 completed of 4 trials" in first.out
    assert first.out.count("(best so far)") >= 1

    again = isoexp("search", *WORDS, *SPACE)
    assert again.code == 0
    assert "4 trials, 4 done before" in again.out
    assert first.out.endswith(again.out.partition("done before\n")[2])

    (best,) = [line for line in first.out.splitlines() if line.startswith("best ")]
    _, command, *words = shlex.split(best)
    assert command == "isoexp"
    outcome = isoexp(*words, "probe=none")
    assert outcome.code == 0
    assert "done before: runs/found/" in outcome.out


def test_a_search_in_which_a_trial_fails_ends_with_1(
    isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("No space left on device")

    monkeypatch.setattr("isoexp.cli.sweep.Workers", Here)
    monkeypatch.setattr("isoexp.experiment.record.Record.log", full)
    outcome = isoexp("search", *WORDS, "sweep.retries=0", *SPACE)

    assert outcome.code == 1
    assert outcome.out.count("] failed ") == 4
    assert "No space left on device" in outcome.out
    assert "no trial was completed" in outcome.out


def test_it_is_helped_and_completed(isoexp: Command) -> None:
    assert "search" in COMMANDS
    assert "search.prune=none" in isoexp("search", "--help").out
    assert isoexp("_complete", "sea").out.split() == ["search"]
    assert isoexp("_complete", "search", "activation=iso_t").out.split() == ["activation=iso_tanh"]
    assert isoexp("_complete", "search", "--d").out.split() == ["--dry-run"]
