"""The folder of a run: who works on it, how far it is, and what can be said without torch.

    <out>/<study>/<label>-<hash8>/
        config.yaml  provenance.json  state.json  summary.json
        metrics.parquet  items.parquet  probes/*.parquet  probes/*.png  checkpoint.pt  wandb/

A run is pending, running, completed, failed or interrupted. One process at a time works on it: it
holds a lock that the kernel frees when the process is killed.
"""

__all__ = ["END", "HEARTBEAT_DEAD_S", "MADE", "MORE", "PROVENANCE", "Run", "damaged", "status"]

import os
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import Unreadable
from ..names import is_name
from .files import (
    Shape,
    fault,
    fits,
    is_time,
    load_json,
    read_json,
    read_lines,
    remove,
    stamp,
    write_json,
)  # fmt: skip

HEARTBEAT_DEAD_S = 60.0
"""A run on another host that has not written its state for so long is taken for dead."""


END: Shape = {"state": str, "step": (int, None), "reason": (str, None)}
"""How a start of a run has ended."""

_TEXT: Shape = (str, None)


def _is_stamp(value: Any) -> bool:
    return fits(value, [(int, None)]) and len(value) == 2


STATE: Shape = {
    "state": ("pending", "running", "completed", "failed", "interrupted"),
    "identity": str, "host": str, "pid": int, "reason": (str, None), "together": ([str], None),
    "step": int, "steps": int, "attempt": int,
    "heartbeat": is_time, "started": is_time, "ended": is_time,
    "columns": ({"seed": int, str: (str, int)}, None), "words": ([str], None),
    "probes": ({str: str}, None), "unmeasured": ({str: str}, None),
    "before": (END, None), "files": {str: _is_stamp},
}  # fmt: skip
"""What state.json may say."""

SUMMARY: Shape = {str: (float, None)}
"""What summary.json may say."""

ROW: Shape = {"step": int, str: (float, None)}
"""What a line of metrics.jsonl may say."""

PROVENANCE: Shape = {
    "command": _TEXT, "host": _TEXT, "device": _TEXT, "device_name": _TEXT, "platform": _TEXT,
    "data": _TEXT, "threads": (int, None), "versions": ({str: str}, None),
    "code": ({"commit": str, "diff": str}, None), "plan": ({"line": int, "hash": str}, None),
    "resampled": (float, None),
}  # fmt: skip
"""What provenance.json may say, of what is read back."""

MADE = ("config.yaml", "provenance.json", "summary.json", "metrics.parquet", "checkpoint.pt")
"""The files of every completed run; it may have some of MORE and tables of probes, too."""

MORE = ("snapshots.pt", "items.parquet")


def status(state: Mapping[str, Any]) -> str:
    """Returns the state of a run as it is: one whose process has died is interrupted."""

    said = state.get("state", "pending")

    return "interrupted" if said == "running" and not _alive(state) else said


@dataclass(frozen=True)
class Run:
    """The folder of one run; it need not exist yet."""

    folder: Path

    @property
    def lines(self) -> Path:
        """The rows of a run that is going, before they become metrics.parquet."""

        return self.folder / "metrics.jsonl"

    @property
    def rows(self) -> list[dict[str, Any]]:
        """The rows so far of a run that is going, up to the first that is broken."""

        return read_lines(self.lines, ROW, required=("step",))

    @property
    def state(self) -> dict[str, Any]:
        """What state.json says; {} before there is one."""

        return read_json(self.folder / "state.json", STATE)

    @property
    def status(self) -> str:
        """Returns the state of a run as it is: one whose process has died is interrupted."""

        return status(self.state)

    @property
    def summary(self) -> dict[str, Any]:
        """The final numbers; {} before there are any."""

        return read_json(self.folder / "summary.json", SUMMARY)

    @property
    def provenance(self) -> dict[str, Any]:
        """Where it comes from: the command, the versions, the machine; {} if that is not known."""

        return read_json(self.folder / "provenance.json", PROVENANCE)

    @property
    def damage(self) -> str | None:
        """What is wrong with the numbers of a run, state and tables included; None if nothing is.

        A folder that was copied without its weights has all its numbers.
        """

        return self.fault(lambda name: name.endswith((".json", ".parquet")))

    def fault(self, of: Callable[[str], bool]) -> str | None:
        """Says what is wrong with those files of a run that its state tells of; None if nothing is.

        Arguments:
            of: Whether a file, by its name in the folder, is looked at; state.json is always.
        """

        try:
            state = load_json(self.folder / "state.json", STATE)
        except FileNotFoundError:
            return None
        except Unreadable as error:
            return str(error)
        if state.get("state") != "completed":
            return None

        # Runs of older versions tell of none: what is there must be readable.
        known = state.get("files")
        if known is None:
            known = {name: (None, None) for name in MADE if (self.folder / name).exists()}
        for name in filter(of, known):
            if not all(map(is_name, name.split("/"))):
                return f"state.json tells of {name}, which is no file of the run"
            told = fault(self.folder / name, known[name])
            try:
                if told is None and name.endswith(".json"):
                    load_json(self.folder / name, SUMMARY if name == "summary.json" else PROVENANCE)
            except (FileNotFoundError, Unreadable) as error:
                told = str(error)
            if told is not None:
                return told

        return None

    @property
    def asked_to_stop(self) -> str | None:
        """Why the process that works on the run was asked to stop it; None if it was not."""

        return read_json(self.folder / "stop.json", {"reason": str}).get("reason")

    def ask_to_stop(self, reason: str) -> None:
        """Asks the process that works on the run to stop it; it does so at its next row."""

        write_json(self.folder / "stop.json", {"reason": reason})

    @property
    def mates(self) -> list[str]:
        """The identities of the runs, this one among them, that it goes on to be trained with."""

        state = self.state
        over = state.get("state") == "completed" or str(state.get("reason")).startswith("diverged")

        return [] if over else list(state.get("together") or [])

    @property
    def last_end(self) -> dict[str, Any] | None:
        """How the last start of the run ended; None before one has."""

        state = self.state
        now = status(state)
        if now not in ("completed", "failed", "interrupted"):
            return state.get("before")
        died = state.get("state") == "running"
        reason = "its process died" if died else state.get("reason")

        return {"state": now, "step": state.get("step"), "reason": reason}

    def write_state(self, status: str, **facts: Any) -> None:
        """Writes state.json, keeping what it said of other things."""

        path, known = self.folder / "state.json", self.state
        if path.is_dir():  # damaged, and made again as any other file of the run
            remove(path)
        write_json(path, {**known, "state": status, "heartbeat": time.time(), **facts})

    def stamps(self, *names: str) -> dict[str, Any]:
        """Returns the stamps of files that state.json is to tell of, as far as they are there."""

        return {name: stamp(self.folder / name) for name in names if (self.folder / name).is_file()}


def damaged(run: Run | None) -> str | None:
    """Says why a run that says it is completed must be trained again; None if it need not be."""

    again = ("probes/", "items.")  # which its weights suffice for

    return None if run is None else run.fault(lambda name: not name.startswith(again))


def _alive(state: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a state still works on it, as far as this host can tell."""

    if state.get("host") != socket.gethostname():
        return time.time() - state.get("heartbeat", 0) < HEARTBEAT_DEAD_S

    pid = state.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True

    return True
