"""Checkpoints: all that a training needs to go on as if it had never stopped; and snapshots.

The order of the data is a function of the seed and of the number of updates made, so there is no
generator to store. The newest checkpoint but one is kept while a run is going: the networks of an
ensemble are saved one after the other, and all of them must find one common update to resume at.
Snapshots are the weights on the way, kept for probes.
"""

__all__ = [
    "common_step", "discard", "final", "forget_snapshots", "load", "save", "snapshot", "snapshots",
]  # fmt: skip

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import UserError

CURRENT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
SNAPSHOTS = "snapshots.pt"


def save(folder: Path, step: int, content: dict[str, Any]) -> None:
    """Writes a checkpoint whole or not at all, and keeps the one before."""

    current = folder / CURRENT
    beside = folder / f".{CURRENT}.{os.getpid()}"

    torch.save({"step": step, **content}, beside)
    if current.exists():
        os.replace(current, folder / PREVIOUS)
    os.replace(beside, current)


def snapshot(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Adds the weights and buffers of an update to the snapshots of a run."""

    _write_snapshots(folder, {**snapshots(folder), step: state})


def snapshots(folder: Path) -> dict[int, dict[str, Any]]:
    """Returns the weights and buffers that were kept on the way, by update."""

    found = _read(folder / SNAPSHOTS) or {}

    return dict(sorted(found.items()))


def forget_snapshots(folder: Path, after: int) -> None:
    """Removes the snapshots of later updates, which are to be made again."""

    kept = {step: state for step, state in snapshots(folder).items() if step <= after}
    if kept:
        _write_snapshots(folder, kept)
    else:
        (folder / SNAPSHOTS).unlink(missing_ok=True)


def _write_snapshots(folder: Path, content: dict[int, dict[str, Any]]) -> None:
    beside = folder / f".{SNAPSHOTS}.{os.getpid()}"
    torch.save(content, beside)
    os.replace(beside, folder / SNAPSHOTS)


def final(folder: Path) -> dict[str, Any]:
    """Returns the weights and buffers of a completed run.

    Raises:
        UserError: If its checkpoint is not there, or cannot be read.
    """

    found = _read(folder / CURRENT)
    if found is None or "model" not in found:
        raise UserError(f"{CURRENT} must hold the trained weights, and cannot be read: train again")

    return found["model"]


def common_step(folders: Sequence[Path]) -> int:
    """Returns the last update at which every folder has a checkpoint; 0 if there is none."""

    steps = [{c["step"] for c in _checkpoints(folder)} for folder in folders]

    return max(set.intersection(*steps), default=0)


def load(folder: Path, step: int) -> dict[str, Any]:
    """Returns the checkpoint of an update that `common_step` has found."""

    return next(c for c in _checkpoints(folder) if c["step"] == step)


def discard(folder: Path, all: bool = False) -> None:
    """Removes the checkpoint before the last; all of them, to start afresh."""

    for name in (CURRENT, PREVIOUS) if all else (PREVIOUS,):
        (folder / name).unlink(missing_ok=True)


def _checkpoints(folder: Path) -> list[dict[str, Any]]:
    found = [_read(folder / name) for name in (CURRENT, PREVIOUS)]

    return [c for c in found if c is not None and isinstance(c.get("step"), int)]


def _read(path: Path) -> dict[Any, Any] | None:
    """Returns what torch.save has written of a dict; None where it cannot be read."""

    try:
        # weights_only: a checkpoint from elsewhere is data, not code.
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # not there, or unreadable in any of torch's many ways: as good as none
        return None

    return found if isinstance(found, dict) else None
