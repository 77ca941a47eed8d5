"""Locks: one process at a time works on a run, and the kernel frees its lock when it is killed."""

__all__ = ["Busy", "acquire", "condemn", "held", "hold"]

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from .run import Run
from .study import find


class Busy(Exception):
    """Another process works on the run."""


@contextmanager
def acquire(study: Path, label: str, identity: str) -> Iterator[Run]:
    """Finds or makes the folder of a run and holds it while the context lasts.

    Raises:
        Busy: If another process holds it.
    """

    from filelock import FileLock

    study.mkdir(parents=True, exist_ok=True)
    with FileLock(study / ".lock"):
        run = find(study, identity)
        if run is None:
            run = Run(study / f"{label}-{identity[:8]}")
            if run.folder.exists() and run.state:  # another identity that begins alike
                run = Run(study / f"{label}-{identity}")
            run.folder.mkdir(exist_ok=True)
            try:
                run.write_state("pending", identity=identity)
            except OSError:
                with suppress(OSError):
                    run.folder.rmdir()
                raise

    with hold(run):
        if run.status == "running" and run.state.get("host") != socket.gethostname():
            raise Busy(f"{run.folder} is being run by {_owner(run.state)}")
        if run.status != "completed":
            here = {"pid": os.getpid(), "host": socket.gethostname()}
            run.write_state("pending", before=run.last_end, **here)
        yield run


@contextmanager
def hold(run: Run) -> Iterator[None]:
    """Holds the folder of a run while the context lasts; raises Busy as `acquire`.

    Raises:
        FileNotFoundError: If it was removed; a lock would make it again.
    """

    from filelock import FileLock, Timeout

    run.folder.stat()
    held = FileLock(run.folder / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise Busy(f"{run.folder} is being run by {_owner(run.state)}") from None

    try:
        yield
    finally:
        held.release()


def condemn(run: Run, reason: str) -> None:
    """Writes down that a completed run cannot be read back: the same command trains it again."""

    with suppress(Busy, OSError), hold(run):
        run.write_state("failed", reason=reason)


def held(run: Run) -> bool:
    """Whether another process works on a run."""

    try:
        with hold(run):
            state = run.state
            return state.get("host") != socket.gethostname() and run.status == "running"
    except Busy:
        return True
    except FileNotFoundError:
        return False


def _owner(state: dict[str, Any]) -> str:
    if "pid" not in state or state.get("state") == "completed":  # whoever trained it has gone
        return "another process; repeat the command when it has ended"

    ago = time.time() - state.get("heartbeat", 0)

    return f"process {state['pid']} on {state.get('host')}, heard of {ago:.0f} s ago"
