"""Checkpoints: all that a training needs to go on as if it had never stopped.

The order of the data is a function of the seed and of the number of updates made, so there is no
generator to store. The newest checkpoint but one is kept while a run is going: the networks of an
ensemble are saved one after the other, and all of them must find one common update to resume at.
"""

__all__ = ["common_step", "discard", "load", "save"]

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

CURRENT, PREVIOUS = "checkpoint.pt", "checkpoint.previous.pt"


def save(folder: Path, step: int, content: dict[str, Any]) -> None:
    """Writes a checkpoint whole or not at all, and keeps the one before."""

    current = folder / CURRENT
    beside = folder / f".{CURRENT}.{os.getpid()}"

    torch.save({"step": step, **content}, beside)
    if current.exists():
        os.replace(current, folder / PREVIOUS)
    os.replace(beside, current)


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
    found = []
    for name in (CURRENT, PREVIOUS):
        try:
            # weights_only: a checkpoint from elsewhere is data, not code.
            found.append(torch.load(folder / name, map_location="cpu", weights_only=True))
        except FileNotFoundError:
            continue
        except Exception:  # unreadable in any of torch's many ways: as good as none
            continue

    return [c for c in found if isinstance(c, dict) and isinstance(c.get("step"), int)]
