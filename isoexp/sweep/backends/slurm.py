"""Slurm, and a stand-in for it on this machine. What can go out at one time is one job array."""

__all__ = ["Local", "Slurm"]

import os
import shutil
import subprocess
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from .submitit import Submitit

LOOK_EVERY_S = 5.0
"""How often Slurm is asked for its queue. A job that is twice not in it is gone."""

PATIENCE_S = 10.0
"""How long a job on this machine may take to leave its runs resumable."""


@dataclass(eq=False)
class Slurm(Submitit):
    """Jobs of Slurm's. See conf/hydra/launcher/submitit_slurm.yaml for each setting."""

    mem_gb: float | None
    name: str
    partition: str | None
    qos: str | None
    account: str | None
    constraint: str | None
    gres: str | None
    exclude: str | None
    comment: str | None
    setup: list[str] | None
    array_parallelism: int
    signal_delay_s: int
    max_num_timeout: int
    additional_parameters: dict[str, Any] | None

    cluster = "slurm"

    @classmethod
    def lacks(cls) -> str | None:
        """Says what this machine lacks to do units so; None if it lacks nothing."""

        missing = super().lacks()
        if missing is None and shutil.which("sbatch") is None:
            return "finds no sbatch on this machine: start the sweep on a Slurm host"

        return missing

    def __post_init__(self) -> None:
        super().__post_init__()
        self._missing: set[Any] = set()
        self._look_at = 0.0

    def _limits(self) -> dict[str, Any]:
        return {"slurm_max_num_timeout": self.max_num_timeout}

    def _own(self) -> tuple[str, ...]:
        return (*super()._own(), "max_num_timeout")

    def _gone(self) -> Collection[Any]:
        if not self._jobs or time.monotonic() < self._look_at:
            return ()
        self._look_at = time.monotonic() + LOOK_EVERY_S

        # Slurm's accounting, which submitit asks, is not kept on every cluster: the queue is.
        command = ["squeue", "--me", "--noheader", "--array", "--format=%i"]
        asked = subprocess.run(command, capture_output=True, text=True, check=False)
        if asked.returncode:
            return ()
        queued = set(asked.stdout.split())
        missing = {job for job in self._jobs if job.job_id not in queued}
        gone, self._missing = missing & self._missing, missing

        return gone

    def _cancel(self, jobs: Sequence[Any]) -> None:
        # submitit has a job ignore the SIGTERM of a plain scancel, until it is killed.
        for options in (["--signal=INT"], []):
            command = ["scancel", *options, *(job.job_id for job in jobs)]
            subprocess.run(command, capture_output=True, check=False)


@dataclass(eq=False)
class Local(Submitit):
    """Processes of this machine. See conf/hydra/launcher/submitit_local.yaml for each setting."""

    array_parallelism: int | None

    cluster = "local"
    queues = False

    @property
    def free(self) -> int:
        """How many more may be begun: there is no queue here."""

        most = self.array_parallelism or os.cpu_count() or 1

        return max(0, most - len(self._jobs) - len(self._errands))

    def _own(self) -> tuple[str, ...]:
        return (*super()._own(), "array_parallelism")

    def _gone(self) -> Collection[Any]:
        return {job for job in self._jobs if job.done()}

    def _cancel(self, jobs: Sequence[Any]) -> None:
        for job in jobs:
            job.cancel()
        since = time.monotonic()
        while not all(job.done() for job in jobs) and time.monotonic() - since < PATIENCE_S:
            time.sleep(0.05)
