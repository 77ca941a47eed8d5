"""Submitit: it sends a unit to a queue as a job, and fetches what becomes of it.

A job that is ended before its time is checkpointed, queued again by submitit, and goes on.
"""

__all__ = ["Submitit"]

import io
import os
import shutil
import time
from abc import abstractmethod
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr
from dataclasses import dataclass, fields, replace
from importlib.util import find_spec
from typing import Any, ClassVar

from ... import processes
from ...errors import UserError
from ...paths import path_of
from ..unit import Outcome, Unit
from .cluster import Cluster, attempted_elsewhere, environment

SEND_AGAIN_S = 60.0
"""So long after a queue would not take jobs they are sent again, once it has taken some."""

ARRAY_MOST = 1000
"""Jobs of one array; Slurm's own limit, MaxArraySize, is 1001 unless a cluster sets another."""

LAST_WORDS = 10_000
"""So many characters of what a job printed are kept."""

COMMON = ("timeout_min", "cpus_per_task", "gpus_per_node", "mem_gb", "name")
"""The parameters that submitit knows on every cluster; the others are Slurm's."""


class Errand:
    """A job of submitit's, which does a unit."""

    def __call__(self, unit: Unit, environment: Mapping[str, str]) -> Outcome:
        return attempted_elsewhere(unit, environment)

    def checkpoint(self, unit: Unit, environment: Mapping[str, str]) -> Any:
        """Has the job queued again; it goes on from the checkpoints."""

        from submitit.helpers import DelayedSubmission

        processes.leave()

        return DelayedSubmission(Errand(), unit, environment)


@dataclass(eq=False)
class Submitit(Cluster):
    """Abstract queue of jobs.

    Arguments:
        submitit_folder: Where submitit keeps pickles and logs; <out>/.submitit unless given.
        timeout_min: What a job may take until it is queued again, in minutes.
        cpus_per_task: The cores of a job, and the threads unless OMP_NUM_THREADS says otherwise.
        gpus_per_node: The devices of a job.
    """

    submitit_folder: str | None
    timeout_min: int
    cpus_per_task: int
    gpus_per_node: int | None

    cluster: ClassVar[str]

    @classmethod
    def lacks(cls) -> str | None:
        """Says what this machine lacks to do units so; None if it lacks nothing."""

        return None if find_spec("submitit") else "needs pip install isoexp[slurm]"

    def __post_init__(self) -> None:
        import submitit

        super().__post_init__()
        start = f"{time.strftime('%Y-%m-%d-%H%M%S')}-{os.getpid()}"
        self._folder = path_of(self.submitit_folder or self.out / ".submitit").resolve() / start
        self._executor = submitit.AutoExecutor(self._folder, self.cluster, **self._limits())
        self._executor.update_parameters(**self._parameters())
        self._errands: list[Unit] = []
        self._jobs: dict[Any, Unit] = {}
        self._send_at = 0.0
        self._all_well = True

    def send(self, unit: Unit) -> None:
        """Puts a unit among those that go out next."""

        self._errands.append(unit)

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Sends the waiting units as one array; returns those left within that time, and how.

        Raises:
            UserError: If the first is refused.
        """

        while self._errands and time.monotonic() >= self._send_at and self._submit():
            pass
        time.sleep(timeout_s)

        gone = self._gone()  # before the results: one that has ended has left its result
        there = set(os.listdir(self._folder)) if self._folder.is_dir() else set()
        found = []
        for job, unit in list(self._jobs.items()):
            if job.paths.result_pickle.name in there:
                del self._jobs[job]
                outcome = _outcome(job)
                found.append((unit, outcome))
                self._all_well &= outcome.reason is None
            elif job in gone:
                del self._jobs[job]
                said = _printed(job)
                last = f"; it last said: {said.splitlines()[-1].strip()}" if said else ""
                self._lose(unit, f"job {job.job_id} was ended{last}", said)
                self._all_well = False

        return [*found, *self._found_lost()]

    def stop(self, unit: Unit) -> None:
        """Cancels the job of a unit, and waits until its runs are free."""

        self._errands = [each for each in self._errands if each is not unit]
        jobs = [job for job, each in self._jobs.items() if each is unit]
        for job in jobs:
            del self._jobs[job]
        if jobs:
            self._cancel(jobs)
            self._see_off(unit)

    def close(self) -> None:
        """Cancels what has not come back; its runs are left resumable. Logs of failures stay."""

        jobs, self._jobs, self._errands = list(self._jobs), {}, []
        if jobs:
            self._cancel(jobs)
        elif self._all_well:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _submit(self) -> bool:
        """Sends an array; returns whether it was taken."""

        units = self._errands[:ARRAY_MOST]
        known = [environment(self.cpus_per_task)] * len(units)
        try:
            with _silently():
                jobs = self._executor.map_array(Errand(), units, known)
        except (RuntimeError, OSError) as error:
            if not self._send_at:
                raise UserError(f"hydra.launcher: {_refusal(error)}") from error
            self._send_at = time.monotonic() + SEND_AGAIN_S
            return False
        self._errands = self._errands[ARRAY_MOST:]
        self._jobs.update(zip(jobs, units, strict=True))
        self._send_at = time.monotonic()

        return True

    def _limits(self) -> dict[str, Any]:
        return {}

    def _parameters(self) -> dict[str, Any]:
        """Returns the settings in submitit's names."""

        given = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in self._own()}

        return {
            name if name in COMMON else f"{self.cluster}_{name}": value
            for name, value in given.items()
            if value is not None
        }

    def _own(self) -> tuple[str, ...]:
        """Returns the settings that are no parameters of a job."""

        return ("out", "submitit_folder")

    @abstractmethod
    def _gone(self) -> Collection[Any]:
        """Returns the jobs that have ended; those without a result were killed or cancelled."""

    @abstractmethod
    def _cancel(self, jobs: Sequence[Any]) -> None: ...


@contextmanager
def _silently() -> Iterator[None]:
    """Keeps quiet submitit, and processes that it starts."""

    before, nowhere = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 2)
    try:
        with redirect_stderr(io.StringIO()):
            yield
    finally:
        os.dup2(before, 2)
        for each in (before, nowhere):
            os.close(each)


def _outcome(job: Any) -> Outcome:
    error = job.exception()
    if error is None:
        outcome = job.result()
        return replace(outcome, details=_printed(job)) if outcome.reason else outcome

    lines = [line for line in str(error).splitlines() if line.strip()]
    told = [line for line in lines if not line.startswith(("-", "You can", " "))]

    return Outcome(told[-1] if told else lines[0], _printed(job), died=True)


def _printed(job: Any) -> str:
    path = job.paths.stderr

    return path.read_text(errors="replace")[-LAST_WORDS:].strip() if path.exists() else ""


def _refusal(error: Exception) -> str:
    lines = [
        line.removeprefix("sbatch: ").removeprefix("error: ") for line in str(error).split("\n")
    ]

    return "; ".join(line.strip() for line in lines if line.strip())
