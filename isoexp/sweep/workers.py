"""Workers: processes of this machine that units are sent to, each one at a time.

One that is killed takes no other with it, and its unit comes back with what is known of the end.
None outlives the process that started it.
"""

__all__ = ["Back", "Workers"]

import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.context import BaseContext
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import UserError
from .units import Unit, perform

PATIENCE_S = 10.0
"""How long a worker that is told to stop may take to leave its runs resumable."""

LAST_WORDS = 2000
"""So many characters of what a process that died had printed are kept."""


@dataclass(frozen=True)
class Back:
    """A unit is no longer worked on.

    Arguments:
        unit: The unit.
        reason: Why it was left, if it was not gone through.
        killed: Whether its process was, which a smaller unit might survive.
        final: Whether it would be the same again.
    """

    unit: Unit
    reason: str | None = None
    killed: bool = False
    final: bool = False


class Workers:
    """Processes, each with a share of the cores, and with a device if there are any.

    Arguments:
        count: How many.
        threads: The threads of each, unless OMP_NUM_THREADS says otherwise.
        devices: The CUDA devices, shared out in turn, as CUDA_VISIBLE_DEVICES would name them.
    """

    def __init__(self, count: int, threads: int = 1, devices: Sequence[str] = ()) -> None:
        self.count, self.devices, self.threads = count, devices, threads
        self._slots: list[_Slot | None] = [None] * count
        self._context = _context()
        self._folder = TemporaryDirectory(prefix="isoexp-", ignore_cleanup_errors=True)

    @property
    def free(self) -> int:
        """How many have nothing to do."""

        return sum(slot is None or slot.unit is None for slot in self._slots)

    def send(self, unit: Unit) -> None:
        """Gives a unit to a worker that has nothing to do."""

        k = next(k for k, slot in enumerate(self._slots) if slot is None or slot.unit is None)
        slot = self._slots[k]
        if slot is None or not slot.process.is_alive():
            self._end(slot)
            slot = self._slots[k] = self._start(k)
        slot.unit = unit
        with suppress(OSError):  # killed this very moment: its sentinel tells
            slot.pipe.send(unit)

    def wait(self, timeout_s: float) -> list[Back]:
        """Returns the units that have come back, within that time."""

        busy = {k: slot for k, slot in enumerate(self._slots) if slot and slot.unit}
        handles = [h for slot in busy.values() for h in (slot.pipe, slot.process.sentinel)]
        ready = connection.wait(handles, timeout_s)

        return [
            self._hear(k, slot)
            for k, slot in busy.items()
            if slot.pipe in ready or slot.process.sentinel in ready
        ]

    def stop(self, unit: Unit) -> None:
        """Has a unit left resumable, and its process ended."""

        for k, slot in enumerate(self._slots):
            if slot is not None and slot.unit is unit:
                self._end(slot)
                self._slots[k] = None

    def close(self) -> None:
        """Ends all workers; what they are at is left resumable."""

        for slot in filter(None, self._slots):
            slot.process.terminate()
        for slot in self._slots:
            self._end(slot)
        self._slots = [None] * self.count
        self._folder.cleanup()

    def _start(self, k: int) -> "_Slot":
        here, there = self._context.Pipe()
        log = Path(self._folder.name, f"{k}.txt")
        device = self.devices[k % len(self.devices)] if self.devices else None
        process: Any = self._context.Process(  # pyright: ignore[reportAttributeAccessIssue]
            target=_serve,
            args=(there, log, self.threads, device),
            name=f"isoexp worker {k}",
            daemon=True,
        )
        process.start()
        there.close()

        return _Slot(process, here, log)

    def _hear(self, k: int, slot: "_Slot") -> Back:
        """Returns what a worker says of its unit, or what its end says."""

        unit, slot.unit = slot.unit, None
        assert unit is not None
        try:
            if slot.pipe.poll():
                return Back(unit, slot.pipe.recv())
        except (EOFError, OSError):  # it died
            pass

        self._slots[k] = None
        slot.process.join()
        printed = slot.log.read_text(errors="replace")[-LAST_WORDS:].strip()
        last = f"; it last said: {printed.splitlines()[-1]}" if printed else ""

        return Back(unit, f"its process {_ended(slot.process.exitcode)}{last}", killed=True)

    def _end(self, slot: "_Slot | None") -> None:
        if slot is None:
            return
        slot.process.terminate()
        slot.process.join(PATIENCE_S)
        slot.process.kill()
        slot.process.join()
        slot.pipe.close()


@dataclass
class _Slot:
    """A worker: its process, the pipe to it, where it prints, and the unit that it works on."""

    process: BaseProcess
    pipe: connection.Connection
    log: Path
    unit: Unit | None = None


def _context() -> BaseContext:
    """Returns how processes are started: forked from one that has imported torch, if possible."""

    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["isoexp.experiment.trial"])

    return context


def _serve(pipe: connection.Connection, log: Path, threads: int, device: str | None) -> None:
    """Does units as they come, until there is nobody to send any."""

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the one who started us
    threading.Thread(target=_follow_parent, daemon=True).start()
    output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    for stream in (1, 2):  # of a terminal that shows a table
        os.dup2(output, stream)
    os.environ.setdefault("OMP_NUM_THREADS", str(threads))
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device

    while True:
        try:
            unit = pipe.recv()
        except EOFError:
            return
        pipe.send(_reason(unit))


def _reason(unit: Unit) -> str | None:
    """Does a unit; returns why it was left, if it was."""

    try:
        perform(unit)
    except KeyboardInterrupt:
        sys.exit(143)
    except SystemExit as error:
        return f"it called sys.exit({error.code})"
    except UserError as error:
        return str(error)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"

    return None


def _follow_parent() -> None:
    """Ends this process when the one that started it does, however that ends."""

    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _ended(code: int | None) -> str:
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"

    return f"ended with code {code}"
