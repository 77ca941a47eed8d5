"""Tests for isoexp.config: as many runs as cannot be planned are refused before they are listed."""

from pathlib import Path

import pytest

from isoexp.claims import Claim
from isoexp.config.compose import expand
from isoexp.config.settings import MOST_RUNS, Settings, check_runs
from isoexp.errors import UserError
from isoexp.experiment.job import prepare_all

from ..claims.test_claim import NODE
from ..commands import Command

ALL = "100,000 are planned at once at most: take fewer"

SWEEPS = {
    "seed=range(0,1000000)": "seed=range(0,1000000) asks for 1,000,000 runs",
    "seed=range(0,100001)": "asks for 100,001 runs",
    "seed=range(1000000000000)": "asks for 1,000,000,000,000 runs",
    f"seed=range(0,{10**30})": "asks for 10^18 or more runs",
    f"seed=range({10**400})": "asks for 10^18 or more runs",
    "seed=shuffle(range(0,1000000))": "asks for 1,000,000 runs",
    "seed=sort(range(0,1000000),reverse=true)": "asks for 1,000,000 runs",
    "optimizer.lr=range(1,0,-1e-9)": "asks for 1,000,000,000 runs",
    "optimizer.lr=range(0,inf)": "must be a range of numbers",
    "optimizer.lr=range(0,1,0)": "must be a range of numbers",
    "optimizer.lr=range(0.0,1.0,nan)": "must be a range of numbers",
    "model=range(0,1000000000)": "asks for 1,000,000,000 runs",
    "seed=range(0,1000) batch_size=range(1,1001)": "the sweep asks for 1,000,000 runs",
    "seed=range(0,1000) batch_size=range(1,1001) steps=range(1,1001)": "asks for 1,000,000,000 run",
    " ".join(f"{key}=range(1,1001)" for key in ("seed", "epochs", "batch_size", "model.depth",
                                                "data.train", "data.valid")):
        "asks for 10^18 or more runs",
    "seed=0 sweep.union=['seed=range(0,60000)','seed=range(0,60000)']": "asks for 120,000 runs",
    "seed=0 sweep.union=['seed=range(0,1000000)']": "seed=range(0,1000000) asks for 1,000,000 runs",
    "seed=0,1 sweep.exclude=['seed=range(0,1000000)']": "asks for 1,000,000 runs",
    "seeds=1000000": "seeds=1000000 asks for 1,000,000 runs",
    "seeds=1000000000000": "asks for 1,000,000,000,000 runs",
    "seeds=50000 epochs=1,2,3": "seeds of all jobs together asks for 150,000 runs",
    "snapshots=1000000000": "snapshots must be from 0 to 1000, got 1000000000",
}  # fmt: skip


@pytest.mark.parametrize("line", SWEEPS)
@pytest.mark.parametrize("more", [(), ("--dry-run",), ("hydra/launcher=basic",)])
def test_a_sweep_too_large_is_counted_and_refused(
    line: str, more: tuple[str, ...], isoexp: Command, folder: Path
) -> None:
    words = line.split(" ", 1 if "sweep." in line else -1)
    outcome = isoexp("train", "-m", *words, *more)

    assert outcome.code == 2
    assert SWEEPS[line] in outcome.err
    assert ALL in outcome.err or "must be" in outcome.err
    assert outcome.err.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("train seeds=1000000", "seeds=1000000 asks for 1,000,000 runs"),
        ("train seeds=1000000000000", "asks for 1,000,000,000,000 runs"),
        ("search optimizer.lr=1,2 search.trials=1000000", "search.trials=1000000 asks for 1,"),
        ("search optimizer.lr=1e-3,1e-2 search.trials=500 seeds=1000", "asks for 500,000 runs"),
        ("search batch_size=range(1,1000000000)", "asks for 999,999,999 runs"),
        (
            "train -m hydra/sweeper=basic seed=range(0,1000) batch_size=range(1,1001)",
            "the sweep asks for 1,000,000 runs",
        ),
        ("train -m hydra/sweeper=basic seed=range(0,1000000000)", "asks for 1,000,000,000 runs"),
    ],
)  # fmt: skip
def test_so_is_what_else_multiplies(line: str, told: str, isoexp: Command, folder: Path) -> None:
    outcome = isoexp(*line.split())

    assert outcome.code == 2
    assert told in outcome.err
    assert ALL in outcome.err
    assert outcome.err.count("\n") == 1
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"seeds": 10**12, "tuning": None}, "2,000,000,000,000 runs"),
        (
            {"tuning": {"grid": {"a": [1] * 100, "b": [1] * 1000}, "metric": "valid/accuracy",
                        "seeds": 3}},
            "600,020",
        ),
        ({"tuning": {"grid": {k: [1] * 10 for k in "abcdefghi"}, "metric": "valid/accuracy",
                     "seeds": 10**9}}, "10^18 or more"),
    ],
)  # fmt: skip
def test_a_claim_is_counted_with_its_tuning(changes: dict, told: str) -> None:
    with pytest.raises(
        UserError, match=f"claim mine at scale laptop asks for {told}".replace("^", r"\^")
    ):
        Claim.at("mine", NODE | changes, "laptop")


def test_what_can_be_planned_is_not_refused() -> None:
    check_runs(MOST_RUNS, "")
    with pytest.raises(UserError):
        check_runs(MOST_RUNS + 1, "")

    assert len(expand(["seed=range(0,300)", "epochs=range(1,3)"])) == 600
    assert len(expand(["optimizer.lr=range(0.1,0.5,0.1)"])) == len([0.1, 0.2, 0.3, 0.4])
    assert len(expand(["seed=range(10,0,-3)", "epochs=2"])) == len(range(10, 0, -3))
    (job,) = prepare_all(expand(["data=spheres", f"seeds={10**4}"]))
    assert len(job.identities) == 10**4
    assert Settings.of(expand(["steps=1000000000000000"])[0].config).steps == 10**15
