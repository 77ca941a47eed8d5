"""The journal of a search: Optuna's, in a file that processes may share and be killed over."""

__all__ = ["journal"]

import os
from pathlib import Path
from typing import Any

import optuna
from filelock import FileLock
from optuna.pruners import BasePruner, MedianPruner, NopPruner, SuccessiveHalvingPruner
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from .search import Search

WARM = 20
"""No trial is stopped before so many percent of its training."""


def journal(search: Search) -> optuna.Study:
    """Opens the journal of a search, or begins it; nobody else may at the same time."""

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = search.folder / "search.journal"
    _mend(path)
    writing: Any = _Lock(search.folder / ".search" / "writing")

    return optuna.create_study(
        storage=JournalStorage(JournalFileBackend(str(path), writing)),
        study_name=search.name,
        direction=search.settings.direction,
        pruner=_pruner(search.settings.prune),
        load_if_exists=True,
    )


class _Lock:
    """The lock of a journal, freed by the kernel when its process is killed."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path)

    def acquire(self) -> bool:
        self._lock.acquire()

        return True

    def release(self) -> None:
        self._lock.release()


def _pruner(name: str) -> BasePruner:
    if name == "median":
        return MedianPruner(n_startup_trials=5, n_warmup_steps=WARM)
    if name == "successive_halving":
        return SuccessiveHalvingPruner(min_resource=WARM, reduction_factor=2)

    return NopPruner()


def _mend(path: Path) -> None:
    """Takes off a last line that a full disk has cut short: nothing could be read behind it."""

    if path.exists() and not (content := path.read_bytes()).endswith(b"\n"):
        os.truncate(path, content.rfind(b"\n") + 1)
