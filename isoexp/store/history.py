"""The history of a run: a line for each start in history.jsonl, never rewritten.

A line says when, where and by which code and command a run was begun or resumed, from which update
on, with which mates it is trained as one, and how the start before it ended.
"""

__all__ = ["add_start", "changes", "starts"]

import hashlib
import os
import socket
import time
from pathlib import Path
from typing import Any

from .files import Shape, add_line, is_time, read_lines
from .provenance import provenance
from .run import END, Run

CONDITIONS = ("threads", "device", "device_name", "processes", "networks", "torch")
"""The conditions of a start on which the last bits of a network may depend."""


START: Shape = {
    "time": is_time, "host": (str, None), "commit": (str, None), "diff": (str, None),
    "versions": ({str: str}, None), "step": (int, None), "networks": (int, None),
    "threads": (int, None), "device": (str, None), "before": (END, None),
}  # fmt: skip
"""What a line may say, of what is read back."""


def starts(folder: Path) -> list[dict[str, Any]]:
    """Returns the starts of a run, the first one first."""

    return read_lines(folder / "history.jsonl", START, required=("time",))


def add_start(run: Run, **facts: Any) -> None:
    """Adds the line of a start, with facts such as the update, the device and the mates."""

    known = provenance()
    code = known["code"] or {}
    dirty = "".join([code.get("diff", ""), *sorted(known["uncommitted"].values())])
    line = {
        "time": time.time(),
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "command": known["command"],
        "commit": code.get("commit"),
        "diff": hashlib.blake2b(dirty.encode(), digest_size=8).hexdigest() if dirty else None,
        "versions": known["versions"],
        **facts,
        "before": run.state.get("before"),
    }
    add_line(run.folder / "history.jsonl", line)


def changes(folder: Path) -> str:
    """Says in which conditions the last start differs from the one before; "" in none.

    Only a start that goes on from a checkpoint is compared: another one computes all anew.
    """

    *_, before, last = [{}, {}, *starts(folder)]
    if not before or not last.get("step"):
        return ""
    flat = [{**each, "torch": (each.get("versions") or {}).get("torch")} for each in (before, last)]

    return ", ".join(
        f"{key} {flat[0].get(key)} then, {flat[1].get(key)} now"
        for key in CONDITIONS
        if flat[0].get(key) != flat[1].get(key)
    )
