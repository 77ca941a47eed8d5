"""Kills commands at random, and holds each to what it promises.

    python benchmarks/kill.py                                   200 kills, of all commands
    python benchmarks/kill.py train search --kills 60 --seed 1
    python benchmarks/kill.py sweep --jobs 200 --kills 20

Processes of a command are killed (kill -9) at random moments: the one that was started, its workers
and what they are forked from. Where the first is killed, the same command is given again, until it
ends by itself. No run that was completed may be trained again, and in the end the numbers, and what
the command prints when it is given once more, must be those of one that nobody disturbs: to the
last bit, but for networks that are trained as one, to rounding, since a group that is completed in
part goes on with those that are left. Linux only.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np

import isoexp
from isoexp.store.study import runs_below

SMALL = ("data=spheres", "data.train=64", "data.valid=16", "data.test=16", "batch_size=24")
ASKED = ("probe=[refraction,alignment]", "probe.refraction.rays=8", "probe.refraction.points=3")
PATIENT = ("sweep.retries=100", "sweep.workers=2")

LONGEST_S = 15.0
"""The longest time between two kills; a command that takes less is killed at any of its moments."""

ROUNDING = 1e-3
"""How far numbers may be apart, relatively, that were computed in groups of different sizes."""

ZERO = 1e-6
"""Columns that stay below are rounding as a whole: the angles by which iso_tanh turns rays."""


@dataclass(frozen=True)
class Command:
    """What is killed.

    Arguments:
        words: The command line, by the folder where its runs are put.
        before: What is done there before, undisturbed.
        apart: How far numbers may be from those of the undisturbed command, relatively.
    """

    words: Callable[[str], Sequence[str]]
    before: Sequence[str] = ()
    apart: float = 0


def commands(jobs: int) -> dict[str, Command]:
    """The commands, by the name of what each is an example of."""

    sweep = ("train", "-m", *SMALL, *ASKED, *PATIENT, f"seed=range(0,{jobs})", "steps=100")
    rates, forms = "optimizer.lr=tag(log,interval(1e-3,1e-1))", "activation=tanh,iso_tanh"
    search = ("search", *SMALL, *PATIENT, "steps=300", "sweep.batch=1", rates, forms)
    networks = ("train", "-m", *SMALL, "steps=50", "snapshots=2", "probe=none", "seed=range(0,6)")
    claim = ("reproduce", "limit_points", "--smoke", *PATIENT, "sweep.batch=1")

    return {
        "train": Command(lambda out: ["train", *SMALL, *ASKED, "steps=3000", f"out={out}"]),
        "sweep": Command(lambda out: [*sweep, "sweep.batch=1", f"out={out}"]),
        "groups": Command(lambda out: [*sweep, "sweep.batch=8", f"out={out}"], apart=ROUNDING),
        "probe": Command(lambda out: ["probe", out, *ASKED, "figures=true"], networks),
        "reproduce": Command(lambda out: [*claim, f"out={out}"]),
        "search": Command(lambda out: [*search, "search.trials=24", "search.ask=8", f"out={out}"]),
    }


def main() -> int:
    known = list(commands(0))
    parser = argparse.ArgumentParser(description="Kills commands at random.")
    parser.add_argument("names", nargs="*", metavar="COMMAND", help=f"of {', '.join(known)}")
    parser.add_argument("--kills", type=int, default=200, help="of all commands together")
    parser.add_argument("--jobs", type=int, default=32, help="of each sweep")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/kill"))
    options = parser.parse_args()
    names = options.names or known
    if not set(names) <= set(known):
        parser.error(f"COMMAND must be of {', '.join(known)}, got {' '.join(names)}")

    shutil.rmtree(options.out, ignore_errors=True)
    chance = random.Random(options.seed)
    for k, name in enumerate(names):
        share = options.kills // len(names) + (k < options.kills % len(names))
        _hold(commands(options.jobs)[name], name, options.out / name, share, chance)

    return 0


def _hold(command: Command, name: str, out: Path, kills: int, chance: random.Random) -> None:
    """Holds a command to its promises, killing it so often."""

    def begun(folder: Path) -> list[str]:
        if command.before:
            _run([*command.before, f"out={folder}"])
        return list(command.words(str(folder)))

    whole = out / "whole"
    words = begun(whole)
    started = time.monotonic()
    _run(words)
    pause_s = min(time.monotonic() - started, LONGEST_S)
    expected = _said(words, whole)

    left, rounds, given, apart = kills, 0, 0, 0.0
    while left:
        killed = out / f"killed-{rounds}"
        words = begun(killed)
        heads, used = _disturb(words, killed, left, pause_s, chance)
        left, rounds, given = left - used, rounds + 1, given + heads
        states = {run.status for run in runs_below(killed)}
        assert states == {"completed"}, f"{killed}: {states}"
        assert _said(words, killed) == expected, f"{killed}: it says otherwise"
        for table in sorted({path.stem for path in whole.rglob("*.parquet")}):
            far = _apart(whole, killed, table)
            assert far <= command.apart, f"{killed}: {table} is {far:.1e} apart"
            apart = max(apart, far)

    told = "the same bits" if not apart else f"at most {apart:.1e} apart"
    heads = given - rounds
    print(
        f"{name}: {kills} kills, {heads} of them of the command itself, rounds {rounds}; {told}",
        flush=True,
    )


def _run(words: Sequence[str]) -> str:
    """Returns what a command prints that nobody disturbs."""

    line = [sys.executable, "-m", "isoexp", *words]

    return subprocess.run(line, stdout=subprocess.PIPE, text=True, check=True).stdout


def _said(words: Sequence[str], out: Path) -> list[list[str]]:
    """Returns the words that a command prints, but for its folder and the times of training."""

    text = _run(words).replace(str(out), "OUT")
    lines = [line.split() for line in text.splitlines()]
    timed = "train_time_s" in text

    return [line[:-1] if timed and line and line[-1][0].isdigit() else line for line in lines]


def _disturb(
    words: Sequence[str], out: Path, kills: int, pause_s: float, chance: random.Random
) -> tuple[int, int]:
    """Gives a command until it ends by itself, and kills processes of it on the way.

    Returns:
        How often it was given, and how many kills there were.
    """

    completed: dict[Path, dict] = {}
    heads, used = 0, 0
    while True:
        heads += 1
        line = [sys.executable, "-m", "isoexp", *words]
        with subprocess.Popen(line, stdout=subprocess.DEVNULL) as head:
            while used < kills:
                try:
                    head.wait(chance.uniform(0.1, pause_s))
                    break
                except subprocess.TimeoutExpired:
                    _remember(out, completed)
                    with suppress(ProcessLookupError):  # it has ended
                        os.kill(chance.choice([head.pid, *_below(head.pid)]), signal.SIGKILL)
                        used += 1
        _remember(out, completed)
        if head.returncode == 0:
            return heads, used
        assert head.returncode == -signal.SIGKILL, f"{words} ended with code {head.returncode}"


def _remember(out: Path, completed: dict[Path, dict]) -> None:
    """Looks for what is completed; what was must be as it was."""

    for run in runs_below(out):
        state = run.state
        before = completed.get(run.folder)
        if before is not None:
            same = all(before[key] == state.get(key) for key in ("state", "attempt", "started"))
            assert same, f"{run.folder} was trained again: {before}, {state}"
        elif state.get("state") == "completed":
            completed[run.folder] = state


def _below(pid: int) -> list[int]:
    """Returns the processes that one has started, and those that they have."""

    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
        except OSError:  # it has ended
            continue
        if fields[0] != "Z":
            parents[int(stat.parent.name)] = int(fields[1])
    found = [each for each, parent in parents.items() if parent == pid]

    return [*found, *(below for each in found for below in _below(each))]


def _apart(a: Path, b: Path, table: str) -> float:
    """Returns how far the numbers of two sweeps are apart at most, relative to their column."""

    first, second = (
        isoexp.read(each, table)
        .drop(columns=["time_s", "out"], errors="ignore")
        .sort_values("run", kind="stable", ignore_index=True)
        for each in (a, b)
    )
    assert list(first.columns) == list(second.columns)
    assert len(first) == len(second), f"{len(first)} rows of {table}, and {len(second)}"

    apart = 0.0
    for name in first.columns:
        x, y = first[name].to_numpy(), second[name].to_numpy()
        if not np.issubdtype(x.dtype, np.floating):
            x, y = x.astype(str), y.astype(str)
            assert np.array_equal(x, y), name
            continue
        assert np.array_equal(np.isnan(x), np.isnan(y)), name
        scale = max(np.nanmax(np.abs(x), initial=0), ZERO)
        apart = max(apart, float(np.nanmax(np.abs(x - y), initial=0) / scale))

    return apart


if __name__ == "__main__":
    sys.exit(main())
