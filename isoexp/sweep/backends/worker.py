"""The worker process, from its start to its end.

It is forked from a process that has imported torch, does units as they come, and outlives nobody.
"""

__all__ = ["TERMINATED", "context", "serve"]

import faulthandler
import multiprocessing
import os
import shutil
import signal
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from multiprocessing import connection, forkserver
from multiprocessing.context import BaseContext
from pathlib import Path
from typing import Any

from ..unit import attempted

TERMINATED = 128 + signal.SIGTERM
"""The exit code of a worker that was told to end in the middle of a unit."""


def context() -> BaseContext:
    """Returns how processes start: forked from one that has imported torch, where that is safe."""

    if sys.platform != "linux":
        return multiprocessing.get_context("spawn")

    forkserver.set_forkserver_preload(
        ["isoexp.experiment.train", "isoexp.sweep.backends.processes"]
    )
    in_main = threading.current_thread() is threading.main_thread()
    # Ctrl-C is for the one who started it; this is passed on.
    before = signal.signal(signal.SIGINT, signal.SIG_IGN) if in_main else None
    # Else it would import the isoexp of the folder it is started in, if that is a checkout.
    path = os.pathsep.join(os.path.abspath(each) for each in sys.path)
    kept = {key: os.environ.get(key) for key in ("PYTHONPATH", "PYTHONSAFEPATH")}
    os.environ.update(PYTHONPATH=path, PYTHONSAFEPATH="1")
    try:
        forkserver.ensure_running()
    finally:
        for key, value in kept.items():
            os.environ.pop(key) if value is None else os.environ.update({key: value})
        if in_main:
            signal.signal(signal.SIGINT, before)

    return multiprocessing.get_context("forkserver")


def serve(pipe: connection.Connection, log: Path, environment: Mapping[str, str]) -> None:
    """Does units as they come, until there is nobody to send any."""

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_follow_parent, args=(log.parent,), daemon=True).start()
    os.environ.clear()
    os.environ.update(environment)
    try:
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    except OSError:  # a full disk; or there is nobody any more
        output = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):  # of a terminal that shows a table
        os.dup2(output, stream)
    sys.stdout = sys.stderr = os.fdopen(output, "w", buffering=1, errors="replace")
    faulthandler.enable(2)

    while True:
        try:
            unit = pipe.recv()
        except (EOFError, OSError):
            return
        with suppress(OSError):
            os.ftruncate(output, 0)
        pipe.send(None)
        try:
            outcome = attempted(unit)
        except KeyboardInterrupt:
            sys.exit(TERMINATED)
        broken = _broken()
        pipe.send((outcome, broken))
        if broken:
            return


def _broken() -> bool:
    """Whether this process can do nothing more, as after some errors of CUDA."""

    torch: Any = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return False
    try:
        torch.cuda.synchronize()
    except RuntimeError:
        return True

    return False


def _follow_parent(folder: Path) -> None:
    """Ends this process when the one that started it does, however that ends."""

    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)
