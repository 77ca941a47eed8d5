"""Processes of this machine that units are sent to, each one at a time.

One that is killed takes no other with it, and its unit comes back with what is known of the end.
None outlives the process that started it.
"""

__all__ = ["Workers"]

import os
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing import connection
from multiprocessing.process import BaseProcess
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..unit import Outcome, Unit
from .worker import TERMINATED, context, serve

PATIENCE_S = 10.0
"""How long workers that are told to stop may take to leave their runs resumable."""

STARTS = 5
"""So often the start of a worker is tried."""

LAST_WORDS = 10_000
"""So many characters of what a process that died had printed are kept."""


class Workers:
    """Processes, each with a share of the cores, and with a device if there are any.

    Arguments:
        threads: The threads of each, unless OMP_NUM_THREADS says otherwise.
        devices: The CUDA devices, shared out in turn, as CUDA_VISIBLE_DEVICES would name them.
    """

    queues = False

    def __init__(self, count: int, threads: int = 1, devices: Sequence[str] = ()) -> None:
        self.count, self.devices, self.threads = count, devices, threads
        self._slots: list[_Slot | None] = [None] * count
        self._context = context()
        self._folder = TemporaryDirectory(prefix="isoexp-", ignore_cleanup_errors=True)

    @property
    def free(self) -> int:
        """How many have nothing to do."""

        return sum(slot is None or slot.unit is None for slot in self._slots)

    def send(self, unit: Unit) -> None:
        """Gives a unit to a worker that has nothing to do."""

        self._give(unit, next(k for k, s in enumerate(self._slots) if s is None or s.unit is None))

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Returns the units that were left within that time, and how."""

        busy = {k: slot for k, slot in enumerate(self._slots) if slot and slot.unit}
        handles = [h for slot in busy.values() for h in (slot.pipe, slot.process.sentinel)]
        ready = connection.wait(handles, timeout_s)

        heard = [
            self._hear(k, slot)
            for k, slot in busy.items()
            if slot.pipe in ready or slot.process.sentinel in ready
        ]

        return [left for left in heard if left is not None]

    def stop(self, unit: Unit) -> None:
        """Has a unit left resumable, and its process ended."""

        for k, slot in enumerate(self._slots):
            if slot is not None and slot.unit is unit:
                self._slots[k] = None
                self._end(slot)

    def close(self) -> None:
        """Ends all workers; what they are at is left resumable."""

        self._end(*self._slots)
        self._slots = [None] * self.count
        self._folder.cleanup()

    def _give(self, unit: Unit, k: int, deaths: int = 0) -> None:
        """Sends a unit to an idle worker, to a new one if that died meanwhile."""

        slot = self._slots[k]
        if slot is None or not slot.process.is_alive():
            self._end(slot)
            slot = self._slots[k] = self._start(k)
        slot.unit, slot.begun, slot.deaths = unit, False, deaths
        with suppress(OSError):  # killed this very moment: its sentinel tells
            slot.pipe.send(unit)

    def _start(self, k: int) -> "_Slot":
        """Starts a worker; again, where what they are forked from was killed meanwhile."""

        log = Path(self._folder.name, f"{k}.txt")
        environment = {"OMP_NUM_THREADS": str(self.threads), **os.environ}
        if self.devices:
            environment["CUDA_VISIBLE_DEVICES"] = self.devices[k % len(self.devices)]

        for left in reversed(range(STARTS)):
            here, there = self._context.Pipe()
            process: Any = self._context.Process(  # pyright: ignore[reportAttributeAccessIssue]
                target=serve,
                args=(there, log, environment),
                name=f"isoexp worker {k}",
                daemon=True,
            )
            try:
                process.start()
            except (EOFError, OSError) as error:
                here.close()
                if not left:
                    raise OSError(f"cannot start a process: {error}") from error
                time.sleep(0.1)
            else:
                return _Slot(process, here, log)
            finally:
                there.close()

        raise AssertionError

    def _hear(self, k: int, slot: "_Slot") -> tuple[Unit, Outcome] | None:
        """Returns how a worker left its unit, by its word or by its end; None if it goes on."""

        unit = slot.unit
        assert unit is not None
        try:
            if slot.pipe.poll():
                said = slot.pipe.recv()
                if said is None:
                    slot.begun = True
                    return None
                outcome, broken = said
                slot.unit = None
                if broken or unit.fresh:
                    self._slots[k] = None
                    self._end(slot)
                return unit, outcome
        except (EOFError, OSError):  # it died
            pass

        self._slots[k] = None
        self._end(slot)
        if not slot.begun and slot.deaths < STARTS:  # it died of something else than this unit
            self._give(unit, k, slot.deaths + 1)
            return None

        printed = _last_words(slot.log)
        lines = printed.splitlines()
        crash = [line for line in lines if line.startswith("Fatal Python error")]
        last = f"; it last said: {(crash or lines)[-1].strip()}" if lines else ""
        reason = f"its process {_ended(slot.process.exitcode)}{last}"

        return unit, Outcome(reason, printed, died=True)

    def _end(self, *slots: "_Slot | None") -> None:
        ending = [slot for slot in slots if slot is not None]
        for slot in ending:
            if slot.process.is_alive():
                slot.process.terminate()
        until = time.monotonic() + PATIENCE_S
        for slot in ending:
            slot.process.join(max(0.0, until - time.monotonic()))
            if slot.process.is_alive():
                slot.process.kill()
                slot.process.join()
            slot.pipe.close()


@dataclass
class _Slot:
    """A worker, and the unit it has or was sent; how many died before they had it."""

    process: BaseProcess
    pipe: connection.Connection
    log: Path
    unit: Unit | None = None
    begun: bool = False
    deaths: int = 0


def _last_words(log: Path) -> str:
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LAST_WORDS))
            return file.read().decode(errors="replace").strip()
    except OSError:  # it died before it could print
        return ""


def _ended(code: int | None) -> str:
    if code == TERMINATED:
        return "was killed by SIGTERM"
    if code is not None and code < 0:
        name = signal.Signals(-code).name
        hint = " (out of memory?)" if name == "SIGKILL" else ""
        return f"was killed by {name}{hint}"

    return f"ended with code {code}"
