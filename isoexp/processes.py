"""The processes that torchrun has started to train one network; without it there is this one alone.

Process 0 decides, evaluates and writes, and tells the others; they take their shares of the batches
(isoexp.parallel). torch is imported by the first message, not before.
"""

__all__ = [
    "connected", "cores", "hear", "leave", "leaving", "local_rank", "local_size", "rank", "size",
    "tell",
]  # fmt: skip

import atexit
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

PATIENCE = timedelta(days=30)
"""The longest wait for the others, which may evaluate for hours; a death ends it at once."""


def size() -> int:
    """Returns the number of processes."""

    return _told("WORLD_SIZE", 1)


def rank() -> int:
    """Returns the number of this process, from 0."""

    return _told("RANK", 0)


def local_size() -> int:
    """Returns the number of processes on this machine."""

    return _told("LOCAL_WORLD_SIZE", 1)


def local_rank() -> int:
    """Returns the number of this process among those of its machine, from 0."""

    return _told("LOCAL_RANK", 0)


def cores() -> int:
    """Returns the number of cores that this process may use."""

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tell(value: Any) -> None:
    """Sends a value from process 0 to the others, which `hear` it."""

    if size() > 1:
        _broadcast([value])


def hear() -> Any:
    """Returns the next value that process 0 tells."""

    heard = [None]
    _broadcast(heard)

    return heard[0]


_leaving = threading.Event()


def leave() -> None:
    """Says that the next exit of this process is a word to the queue that called it away."""

    _leaving.set()


def leaving() -> bool:
    """Whether an exit is a word to a queue; else it is of code that a user brought."""

    return _leaving.is_set()


@contextmanager
def connected() -> Iterator[None]:
    """Interrupts this process, as Ctrl-C does, when another is lost: the run can be resumed."""

    try:
        yield
    except RuntimeError as error:
        if "gloo/transport" in str(error):  # PyTorch has no class of error for it
            raise KeyboardInterrupt from error
        raise


def _broadcast(values: list[Any]) -> None:
    import torch
    import torch.distributed as dist

    if not dist.is_initialized():
        backend = "cpu:gloo,cuda:nccl" if torch.cuda.is_available() else "gloo"
        dist.init_process_group(backend, timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)
    with connected():
        dist.broadcast_object_list(values, src=0, device=torch.device("cpu"))


def _told(name: str, alone: int) -> int:
    """Returns a number from the environment, if torchrun set it: other launchers set some, too."""

    return int(os.environ[name]) if "TORCHELASTIC_RUN_ID" in os.environ else alone
