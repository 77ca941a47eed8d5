"""What each process that test_parallel.py starts does: the commands of a file, one after the other.

The one before the last is stopped in both processes, as kills would, and done again; in the last
one of them is killed. What a command ended with, and how many samples there were in each share, is
written down.
"""

import json
import os
import signal
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from torch import Tensor, nn

from isoexp import parallel, processes
from isoexp.cli import main
from isoexp.experiment import batching, train

ENDED_AT = 10
"""The share at which training ends: the first three are those of a try."""


class Killed(BaseException):
    """Stands for SIGKILL: nothing catches it, and the kernel frees the locks."""


class TorchDropout(nn.Dropout):
    """Draws from a generator that knows nothing of shares."""

    def __init__(self, width: int) -> None:
        super().__init__(0.5)


def do(lines: list[list[str]]) -> None:
    """Does the commands."""

    lines = [*lines[:-1], *lines[-2:]]
    sizes: list[int] = []
    left = len(lines)

    def shares(batches: Iterable[tuple[Tensor, Tensor]]) -> Iterator[tuple[Tensor, Tensor]]:
        for x, y in parallel.shares(batches):
            sizes.append(x.shape[1])
            if left == 2 and len(sizes) == ENDED_AT:
                raise Killed
            if left == 0 and len(sizes) == ENDED_AT and processes.rank() == 1:
                os.kill(os.getpid(), signal.SIGKILL)
            yield x, y

    batching.shares = shares
    train.SAVE_EVERY_S, train.SAVE_SHARE = 0.0, float("inf")

    for words in lines:
        left -= 1
        sizes.clear()
        with suppress(Killed):
            code = main(words)
            Path(f"{words[-1]}-{processes.rank()}.json").write_text(json.dumps([code, sizes]))


if __name__ == "__main__":
    do(json.loads(Path(sys.argv[1]).read_text()))
