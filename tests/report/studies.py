"""Folders of runs as trainings leave them, without a training."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from pathlib import Path
from types import MappingProxyType
from typing import Any

from isoexp.claims import Claim
from isoexp.claims.chain import Kind, Line, add
from isoexp.claims.evidence import Evidence, register
from isoexp.store.files import write_json
from isoexp.store.run import Run
from isoexp.store.tables import METRICS, write_table

BEGAN = 1_800_000_000.0
"""When the first run was started: 2027-01-15 08:00 UTC."""

CHOICES = {"activation": "tanh", "model": "mlp", "data": "digits", "optimizer": "adam"}

NODE: dict[str, Any] = {
    "title": "B is better",
    "claim": "Networks of B are more accurate.",
    "section": "5.1",
    "expected": "supported",
    "cost": 2,
    "arms": {"a": "activation=tanh", "b": "activation=iso_tanh"},
    "seeds": 4,
    "metrics": {"accuracy": {"of": "summary", "column": "test/accuracy", "words": "accuracy"}},
    "comparisons": [
        {"contrast": "b - a", "metric": "accuracy", "expects": "greater", "margin": 0.01}
    ],
    "scales": {"smoke": {}, "laptop": {}},
}
"""A claim."""

NASTY = '<script>alert(1)</script> & "quotes" $x$ | [a](http://b.c) `d` <!-- e --> {f} \\ 5 %'
"""What nobody should type, and somebody will."""

STEPS = (1, 20, 40)


def identity(number: int) -> str:
    """The identity of a run; its first 8 characters tell it from others."""

    return f"{number:08x}" + 24 * "0"


def claimed(
    study: Path,
    arms: Mapping[str, Sequence[Run]],
    scale: str = "laptop",
    name: str = "better",
    registered: float = BEGAN - 3600,
    tuned: Mapping[str, Any] | None = None,
    tuning_runs: Mapping[str, Sequence[Run]] | None = None,
    kind: Kind = "plan",
    told: Mapping[str, Any] = MappingProxyType({}),
    **changes: Any,
) -> Evidence:
    """Leaves a claim, its line in the chain, and which runs it is decided by.

    Arguments:
        told: What else the line says.
    """

    claim = Claim.at(name, deepcopy(NODE) | changes, scale)
    code = {"commit": 40 * "d", "diff": ""}
    planned = {"claim": claim.identity}
    line = Line(0, name, scale, claim.identity, kind, registered=registered, **told)
    with add(study) as (there, append):
        line = line.follows(there)
        append(line)
    facts = {"versions": {"torch": "2.9.0"}, "code": code}
    evidence = register(study, claim, line, planned, facts)
    for run in [r for runs in [*arms.values(), *(tuning_runs or {}).values()] for r in runs]:
        facts = run.provenance
        write_json(
            run.folder / "provenance.json", {**facts, "plan": facts.get("plan") or line.carried}
        )
    found = {
        "tuned": tuned or {},
        "trials": {
            arm: [run.state["identity"] for run in runs]
            for arm, runs in (tuning_runs or {}).items()
        },
        "arms": {
            arm: {
                "words": claim.arms[arm],
                "runs": {
                    str(seed): runs[k].state["identity"] if k < len(runs) else 32 * "f"
                    for k, seed in enumerate(evidence.seeds)
                },
            }
            for arm, runs in arms.items()
        },
    }
    write_json(evidence.folder / "runs.json", found)

    return Evidence(evidence.folder)


def two_arms(
    study: Path, a: Sequence[float], b: Sequence[float], first: int = 1
) -> dict[str, list[Run]]:
    """Leaves runs of two arms with these accuracies."""

    found: dict[str, list[Run]] = {}
    number = first
    for arm, activation, values in (("a", "tanh", a), ("b", "iso_tanh", b)):
        found[arm] = []
        for seed, value in enumerate(values):
            numbers = {"test/accuracy": value, "valid/accuracy": value - 0.01}
            found[arm].append(finished(study, number, seed, numbers, activation=activation))
            number += 1

    return found


def finished(
    study: Path,
    number: int,
    seed: int,
    numbers: Mapping[str, float],
    overrides: Sequence[str] = (),
    together: Sequence[int] | None = None,
    started: float | None = None,
    took_s: float = 60.0,
    **choices: str,
) -> Run:
    """Leaves a completed run."""

    began = BEGAN + number if started is None else started
    run = _begun(study, number, seed, overrides, choices)
    write_json(run.folder / "summary.json", {**numbers, "train_time_s": 1.5, "parameters": 3466})
    mates = [identity(each) for each in together or [number]]
    ended = began + took_s
    run.write_state("completed", together=mates, started=began, ended=ended, step=STEPS[-1])
    write_json(run.folder / "state.json", {**run.state, "heartbeat": ended})

    return run


def failed(
    study: Path, number: int, seed: int, reason: str, overrides: Sequence[str] = (), **choices: str
) -> Run:
    """Leaves a run that failed."""

    run = _begun(study, number, seed, overrides, choices)
    run.write_state("failed", reason=reason, together=None, started=BEGAN + number)
    write_json(run.folder / "state.json", {**run.state, "heartbeat": BEGAN + number + 30.0})

    return run


def curve(run: Run, losses: Sequence[float]) -> None:
    """Leaves the rows of a training."""

    rows = {"step": list(STEPS), "valid/loss": list(losses)}
    write_table(run.folder / "metrics.parquet", rows, METRICS, {"seed": 0}, {})


def _begun(
    study: Path, number: int, seed: int, overrides: Sequence[str], choices: Mapping[str, str]
) -> Run:
    own = identity(number)
    run = Run(study / f"run-{own[:8]}")
    run.folder.mkdir(parents=True, exist_ok=True)
    columns: dict[str, Any] = {"run": own[:8], "study": study.name, **CHOICES, **choices}
    run.write_state(
        "running", identity=own, columns={**columns, "seed": seed}, words=list(overrides)
    )
    facts = {
        "versions": {"python": "3.11.7", "torch": "2.9.0"},
        "platform": "Linux",
        "device": "cpu",
        "threads": 1,
        "code": {"commit": 40 * "c", "diff": ""},
        "host": "secret-host",
        "directory": "/home/somebody",
    }
    write_json(run.folder / "provenance.json", facts)

    return run
