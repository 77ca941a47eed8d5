"""How long a sweep takes by the ways there are: in parallel and as one, in parallel, one by one.

    python benchmarks/sweep.py
    python benchmarks/sweep.py 'probe=[refraction,ood_magnitude,alignment]'
    python benchmarks/sweep.py --repeats 1 --seeds 4

96 jobs of the default network on the digits: two activations, three learning rates, sixteen seeds.
The ways are

    isoexp train -m          networks trained as one, in worker processes
    sweep.batch=1            each by itself, in two worker processes
    hydra/launcher=basic     Hydra's own: one job after the other, in one process

and take turns, so that what else the machine does falls on all of them. Of each it is said how long
it takes, from the command to its end, and the CPU time of all its processes; of the others, how
many times as long as the first. Basic is timed on two seeds and on one: the difference is what a
seed takes once all is imported, and sixteen take fourteen times that more. Linux only.
"""

import argparse
import ctypes
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from time import monotonic
from typing import NamedTuple

from isoexp.store.study import runs_below

SWEPT = ("activation=tanh,iso_tanh", "optimizer.lr=1e-3,3e-3,1e-2")
JOBS = 6
"""Jobs of a seed."""

OURS, ALONE, BASIC = "isoexp train -m", "sweep.batch=1", "hydra/launcher=basic"
WORDS = {
    OURS: (),
    ALONE: ("sweep.batch=1", "sweep.workers=2"),
    BASIC: ("hydra/launcher=basic", "figures=false"),
}
FEW = 2
"""The seeds that basic is timed on."""

SUBREAPER = 36
"""Of prctl: orphans below a process become its children, to be waited for and counted."""


class Spent(NamedTuple):
    """Seconds: of the wall, and of the CPU of all processes."""

    wall: float
    cpu: float


def spent(seeds: int, words: Sequence[str]) -> Spent:
    """Returns what a sweep of so many seeds takes."""

    out = tempfile.mkdtemp(prefix="isoexp-sweep-")
    swept = (*SWEPT, f"seed=range(0,{seeds})", f"out={out}", *words)
    before, began = _cpu(), monotonic()
    try:
        command = [sys.executable, "-m", "isoexp", "train", "-m", *swept]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        wall = monotonic() - began
        done = [run.status for run in runs_below(Path(out))]
        assert done == ["completed"] * JOBS * seeds, done
    finally:
        shutil.rmtree(out, ignore_errors=True)
    _wait_for_orphans()

    return Spent(wall, _cpu() - before)


def by(way: str, seeds: int, words: Sequence[str]) -> Spent:
    """Returns what so many seeds take by a way."""

    words = (*WORDS[way], *words)
    if way != BASIC or seeds <= FEW:
        return spent(seeds, words)

    few, fewer = spent(FEW, words), spent(FEW - 1, words)

    return Spent(*(a + (seeds - FEW) * (a - b) for a, b in zip(few, fewer, strict=True)))


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)

    return used.ru_utime + used.ru_stime


def _wait_for_orphans() -> None:
    while True:
        try:
            os.wait()
        except ChildProcessError:
            return


def _over(values: Sequence[float], digits: int, unit: str) -> str:
    """Returns the median of some values, and between which they lie."""

    middle = f"{statistics.median(values):.{digits}f}{unit}"

    return f"{middle} ({min(values):.{digits}f} to {max(values):.{digits}f})"


def main() -> None:
    parser = argparse.ArgumentParser(description="Times a sweep by the ways there are.")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--seeds", type=int, default=16)
    parser.add_argument("words", nargs="*")
    options = parser.parse_args()

    os.environ.setdefault("OMP_NUM_THREADS", "1")
    ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)

    found: dict[str, list[Spent]] = {way: [] for way in WORDS}
    loads = []
    for _ in range(options.repeats):
        for way, times in found.items():
            loads.append(os.getloadavg()[0])
            times.append(by(way, options.seeds, options.words))

    jobs = JOBS * options.seeds
    print(
        f"{jobs} jobs, {os.cpu_count()} cores, {options.repeats} times; {' '.join(options.words)}"
    )
    print(f"load average before each: {min(loads):.1f} to {max(loads):.1f}")
    for way, times in found.items():
        wall, cpu = ([getattr(each, of) for each in times] for of in Spent._fields)
        line = f"{way:22} {_over(wall, 1, ' s')}, CPU {_over(cpu, 1, ' s')}"
        if way != OURS:
            ratios = [a.wall / b.wall for a, b in zip(times, found[OURS], strict=True)]
            line += f": {_over(ratios, 1, ' times')} as long"
        print(line, flush=True)


if __name__ == "__main__":
    main()
