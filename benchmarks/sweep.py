"""How long a sweep takes by the ways there are: in parallel and as one, in parallel, one by one.

    python benchmarks/sweep.py [probe=none]

96 jobs of the default network on the digits, of two activations, three learning rates and sixteen
seeds. Hydra's own launcher, which does one job after the other, is timed on a few of them.
"""

import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from isoexp.runs import runs_below

SWEPT = ("activation=tanh,iso_tanh", "optimizer.lr=1e-3,3e-3,1e-2")
SEEDS, FEW = 16, 1

WAYS = {
    "isoexp train -m": (SEEDS, ()),
    "sweep.batch=1": (SEEDS, ("sweep.batch=1",)),
    "hydra/launcher=basic": (FEW, ("hydra/launcher=basic", "figures=false")),
}
"""How many seeds are trained, and the words that ask for it."""


def seconds(out: str, seeds: int, words: tuple[str, ...]) -> float:
    """Returns how long a sweep takes, from the command to its end."""

    swept = (*SWEPT, f"seed=range(0,{seeds})", f"out={out}", *words)
    command = [sys.executable, "-m", "isoexp", "train", "-m", *swept]
    began = time.monotonic()
    subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
    took = time.monotonic() - began
    assert len(runs_below(Path(out))) == 6 * seeds

    return took


def main(words: tuple[str, ...]) -> None:
    for way, (seeds, own) in WAYS.items():
        out = tempfile.mkdtemp(prefix="isoexp-sweep-")
        try:
            took_s = seconds(out, seeds, (*own, *words))
        finally:
            shutil.rmtree(out, ignore_errors=True)
        share = SEEDS / seeds
        of = "" if share == 1 else f"  ({share:.0f} times that of {6 * seeds} jobs)"
        print(f"{way:24}{share * took_s:8.1f} s  {took_s / seeds / 6:6.2f} s a job{of}", flush=True)


if __name__ == "__main__":
    main(tuple(sys.argv[1:]))
