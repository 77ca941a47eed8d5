"""The folder of a run: who works on it, how far it is, and what can be said without torch.

    <out>/<study>/<label>-<hash8>/
        config.yaml  provenance.json  state.json  summary.json
        metrics.parquet  probes/*.parquet  probes/*.png  checkpoint.pt  wandb/

A run is pending, running, completed, failed or interrupted. One process at a time works on it: it
holds a lock that the kernel frees when the process is killed.
"""

__all__ = ["HEARTBEAT_DEAD_S", "Run", "status"]

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .files import read_json, write_json

HEARTBEAT_DEAD_S = 60.0
"""A run on another host that has not written its state for so long is taken for dead."""


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
    def state(self) -> dict[str, Any]:
        """What state.json says; {} before there is one."""

        return read_json(self.folder / "state.json")

    @property
    def status(self) -> str:
        """Returns the state of a run as it is: one whose process has died is interrupted."""

        return status(self.state)

    @property
    def summary(self) -> dict[str, Any]:
        """The final numbers; {} before there are any."""

        return read_json(self.folder / "summary.json")

    @property
    def asked_to_stop(self) -> str | None:
        """Why the process that works on the run was asked to stop it; None if it was not."""

        return read_json(self.folder / "stop.json").get("reason")

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

        write_json(
            self.folder / "state.json",
            {**self.state, "state": status, "heartbeat": time.time(), **facts},
        )


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
