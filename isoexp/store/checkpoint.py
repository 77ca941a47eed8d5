"""Checkpoints, from which a training goes on as if it had never stopped, and snapshots of weights.

The order of the data is a function of the seed and of the number of updates made, so there is no
generator to store. The last two checkpoints are kept while a run is going: the networks of an
ensemble are saved one after the other, and all of them must find one common update to resume at.
Snapshots are the weights at chosen updates, kept for probes.
"""

__all__ = [
    "common_step", "discard", "final", "forget_snapshots", "load", "save", "snapshot", "snapshots",
]  # fmt: skip

import os
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from ..errors import Unreadable, out_of_memory
from .files import fits, remove, written

CURRENT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"
SNAPSHOTS = "snapshots.pt"

SHAPE = {"step": int, "model": dict, "optimizer": Any, "meter": dict}
"""What a checkpoint holds."""


def save(folder: Path, step: int, content: dict[str, Any]) -> None:
    """Writes a checkpoint whole or not at all, and keeps the one before."""

    current = folder / CURRENT
    with written(current) as beside:
        _write(beside, {"step": step, **content})
        if current.exists():
            os.replace(current, folder / PREVIOUS)


def snapshot(folder: Path, step: int, state: dict[str, Any]) -> None:
    """Adds the weights and buffers of an update to the snapshots of a run."""

    _write_snapshots(folder, {**snapshots(folder), step: state})


def snapshots(folder: Path) -> dict[int, dict[str, Any]]:
    """Returns the weights and buffers of the snapshots, by update; {} if there are none.

    Raises:
        Unreadable: If their file cannot be read.
    """

    path = folder / SNAPSHOTS
    if not path.exists():
        return {}
    found = _read(path)
    if found is None or not all(isinstance(step, int) for step in found):
        raise Unreadable(f"{SNAPSHOTS} must hold weights by update, and cannot be read")

    return dict(sorted(found.items()))


def forget_snapshots(folder: Path, after: int) -> None:
    """Removes the snapshots of later updates, which a resumed run makes again."""

    kept = {step: state for step, state in snapshots(folder).items() if step <= after}
    if kept:
        _write_snapshots(folder, kept)
    else:
        remove(folder / SNAPSHOTS)


def _write_snapshots(folder: Path, content: dict[int, dict[str, Any]]) -> None:
    with written(folder / SNAPSHOTS) as beside:
        _write(beside, content)


def _write(path: Path, content: dict[Any, Any]) -> None:
    with path.open("wb") as file:  # given the path, torch does not say what the system said
        try:
            torch.save(content, file)
        except RuntimeError as error:  # of closing its archive, after what was the matter
            if isinstance(error.__context__, OSError):
                raise error.__context__ from None
            raise


def final(folder: Path) -> dict[str, Any]:
    """Returns the weights and buffers of a completed run.

    Raises:
        Unreadable: If its checkpoint is missing or cannot be read.
    """

    found = _read(folder / CURRENT)
    if found is None or not isinstance(found.get("model"), dict):
        raise Unreadable(
            f"{CURRENT} must hold the trained weights, and cannot be read: train again"
        )

    return found["model"]


def common_step(folders: Sequence[Path]) -> int:
    """Returns the last update at which every folder has a checkpoint; 0 if there is none."""

    steps = [{c["step"] for c in _checkpoints(folder)} for folder in folders]

    return max(set.intersection(*steps), default=0)


def load(folder: Path, step: int) -> dict[str, Any]:
    """Returns the checkpoint of an update, one that `common_step` has found."""

    return next(c for c in _checkpoints(folder) if c["step"] == step)


def discard(folder: Path, all: bool = False) -> None:
    """Removes the checkpoint before the last, or both, to start afresh."""

    for name in (CURRENT, PREVIOUS) if all else (PREVIOUS,):
        remove(folder / name)


def _checkpoints(folder: Path) -> list[dict[str, Any]]:
    found = [_read(folder / name) for name in (CURRENT, PREVIOUS)]

    return [c for c in found if c is not None and fits(c, SHAPE) and "step" in c]


def _read(path: Path) -> dict[Any, Any] | None:
    """Returns a dict written by torch.save; None where it is not what was written."""

    try:
        with zipfile.ZipFile(path) as file:  # torch checks no sums
            if file.testzip() is not None:
                return None
        # weights_only: a checkpoint from elsewhere is data, not code.
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # not there, or unreadable in any of torch's many ways
        if out_of_memory(error):
            raise
        return None

    return found if isinstance(found, dict) else None
