"""Kills a sweep at random, and holds it to what it promises.

    python benchmarks/kill.py --jobs 200 --kills 20               as one, as many as is fastest
    python benchmarks/kill.py --jobs 96 --kills 16 --batch 8 --steps 300
    python benchmarks/kill.py --jobs 200 --kills 20 --batch 1     each by itself

Processes of `isoexp train -m` are killed (kill -9) at random: the one that was started, its workers
and what they are forked from. Where the first is killed, the same command is given again. In the
end all jobs must be completed, none trained again that was, and the numbers those of a sweep that
nobody disturbs: to the last bit with --batch 1, else to rounding, since a group whose process died
twice goes on in two parts, and one that is completed in part with those that are left. Linux only.
"""

import argparse
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

import isoexp
from isoexp.store.study import runs_below

SMALL = ("data=spheres", "data.train=64", "data.valid=16", "data.test=16", "batch_size=24")

WAIT_S = (0.1, 3.0)
"""The time from when a run is being trained to a kill, at least and at most."""

ROUNDING = 1e-3
"""How far numbers may be apart, relatively, that were computed in groups of different sizes."""

ZERO = 1e-6
"""Columns that stay below are rounding as a whole: the angles by which iso_tanh turns rays."""


def main() -> int:
    parser = argparse.ArgumentParser(description="Kills a sweep at random.")
    parser.add_argument("--jobs", type=int, default=200)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--batch", type=int, help="sweep.batch; measured, unless given")
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=Path("runs/kill"))
    options = parser.parse_args()

    shutil.rmtree(options.out, ignore_errors=True)
    batch = "null" if options.batch is None else options.batch
    words = [
        *SMALL,
        f"steps={options.steps}",
        "probe=[refraction]",
        "probe.refraction.rays=8",
        "probe.refraction.points=3",
        f"sweep.batch={batch}",
    ]
    words += [f"seed=range(0,{options.jobs})", "sweep.retries=100"]
    command = [sys.executable, "-m", "isoexp", "train", "-m", *words]

    whole, killed = options.out / "whole", options.out / "killed"
    subprocess.run([*command, f"out={whole}"], stdout=subprocess.DEVNULL, check=True)
    _disturb([*command, f"out={killed}"], killed, options.kills, random.Random(options.seed))

    states = [run.status for run in runs_below(killed)]
    assert states == ["completed"] * options.jobs, states
    for table in ("metrics", "refraction"):
        apart = _apart(whole, killed, table)
        print(f"{table}: {'the same bits' if not apart else f'at most {apart:.1e} apart'}")
        assert apart <= (0 if options.batch == 1 else ROUNDING), table

    return 0


def _disturb(command: Sequence[str], out: Path, kills: int, chance: random.Random) -> None:
    """Runs a command to its end, however often it is killed."""

    completed: dict[Path, dict] = {}
    heads, left = 0, kills
    while True:
        heads += 1
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as head:
            while head.poll() is None:
                if not any(run.status == "running" for run in runs_below(out)):
                    time.sleep(0.1)
                    continue
                time.sleep(chance.uniform(*WAIT_S))
                _remember(out, completed)
                if left and head.poll() is None:
                    left -= 1
                    victim = chance.choice([head.pid, *_below(head.pid)])
                    os.kill(victim, signal.SIGKILL)
                    print(f"killed {_name(victim, head.pid)}; {len(completed)} jobs were completed")
        if head.returncode == 0:
            break
        assert head.returncode == -signal.SIGKILL, f"it ended with code {head.returncode}"
    _remember(out, completed)
    print(f"{kills - left} kills, the command was given {heads} times, nothing was trained again")


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


def _name(victim: int, head: int) -> str:
    return "the command itself" if victim == head else f"process {victim}"


def _apart(a: Path, b: Path, table: str) -> float:
    """Returns how far the numbers of two sweeps are apart at most, relative to their column."""

    first, second = (
        isoexp.read(each, table)
        .drop(columns=["time_s", "out"], errors="ignore")
        .sort_values("seed", kind="stable", ignore_index=True)
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
