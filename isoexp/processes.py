"""The processes that torchrun has started to train one network; without it there is this one alone.

Process 0 decides, evaluates and writes, and tells the others; they take their shares of the batches
(isoexp.parallel). torch is not imported before there is something to say.
"""

__all__ = ["connected", "cores", "hear", "local_rank", "local_size", "rank", "size", "tell"]

import atexit
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

PATIENCE = timedelta(days=30)
"""How long a process waits for the others, which may evaluate for hours; one that dies is heard."""


def size() -> int:
    """Returns the number of processes."""

    return _told("WORLD_SIZE", 1)


def rank() -> int:
    """Returns which of the processes this is, from 0."""

    return _told("RANK", 0)


def local_size() -> int:
    """Returns the number of processes on this machine."""

    return _told("LOCAL_WORLD_SIZE", 1)


def local_rank() -> int:
    """Returns which of the processes on this machine this is, from 0."""

    return _told("LOCAL_RANK", 0)


def cores() -> int:
    """Returns the number of cores that this process may use."""

    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def tell(value: Any) -> None:
    """Tells the others, as process 0; each of them hears it in turn."""

    if size() > 1:
        _broadcast([value])


def hear() -> Any:
    """Returns what process 0 tells next, as one of the others."""

    heard = [None]
    _broadcast(heard)

    return heard[0]


@contextmanager
def connected() -> Iterator[None]:
    """Lets the loss of another process interrupt this one, as Ctrl-C does: it can be resumed."""

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
    """Returns a number that torchrun has put into the environment; others put some of them, too."""

    return int(os.environ[name]) if "TORCHELASTIC_RUN_ID" in os.environ else alone
