"""Clusters: units are sent out by engines that exist, submitit to Slurm, and Ray.

What they write comes back over the file system that all machines share. A unit is one job of
theirs; all that can be sent at one time make one job array.
"""

__all__ = ["LAUNCHERS", "Ray", "Submitit", "hands"]

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError
from .running import Hands
from .units import Unit, perform
from .workers import Back

LAUNCHERS = ("submitit_slurm", "submitit_local", "ray")
"""The choices of hydra/launcher that send units; others are Hydra's own affair."""

LOOK_EVERY_S = 5.0
"""How often Slurm is asked for its queue."""

OWN = ("_target_", "submitit_folder", "max_num_timeout")
"""The settings of a launcher that are not parameters of its executor."""

COMMON = (
    "timeout_min", "cpus_per_task", "gpus_per_node", "tasks_per_node", "mem_gb", "nodes", "name",
)  # fmt: skip
"""The parameters of every executor of submitit; the others are Slurm's."""


def hands(name: str, settings: Mapping[str, Any], out: Path) -> Hands:
    """Returns what sends units to a cluster.

    Arguments:
        name: The choice of hydra/launcher, one of LAUNCHERS.
        settings: Its settings, in the names of Hydra's own plugins.
        out: The folder of the studies.

    Raises:
        UserError: If the engine is not installed, or refuses its settings.
    """

    try:
        if name == "ray":
            return Ray(settings)
        return Submitit(name.removeprefix("submitit_"), settings, out)
    except ImportError as error:
        extra = "ray" if name == "ray" else "slurm"
        raise UserError(f"hydra/launcher={name} needs pip install isoexp[{extra}]") from error
    except (TypeError, ValueError, RuntimeError, ConnectionError) as error:
        raise UserError(f"hydra.launcher: {' '.join(str(error).split())}") from error


class Errand:
    """What a job of Slurm's does: a unit. Pre-empted, it is queued again and goes on."""

    def __call__(self, unit: Unit, environment: Mapping[str, str]) -> None:
        os.environ.update(environment)
        perform(unit)

    def checkpoint(self, unit: Unit, environment: Mapping[str, str]) -> Any:
        """Returns what to do in its place when Slurm takes the machine away."""

        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self, unit, environment)


class Submitit:
    """Jobs of Slurm's, or of a stand-in for it on this machine, by submitit.

    Arguments:
        cluster: slurm or local.
        settings: The settings of hydra/launcher.
        out: The folder of the studies.
    """

    free = 1  # a queue takes everything

    def __init__(self, cluster: str, settings: Mapping[str, Any], out: Path) -> None:
        import submitit

        if cluster == "slurm" and shutil.which("sbatch") is None:
            raise UserError("there is no sbatch on this machine: start the sweep on a Slurm host")

        folder = Path(settings.get("submitit_folder") or out / ".submitit").resolve()
        limits = {}
        if cluster == "slurm" and settings.get("max_num_timeout") is not None:
            limits["slurm_max_num_timeout"] = settings["max_num_timeout"]
        self._slurm = cluster == "slurm"
        self._executor = submitit.AutoExecutor(folder / "%j", cluster=cluster, **limits)
        given = {k: v for k, v in settings.items() if k not in OWN and v is not None}
        self._executor.update_parameters(
            **{k if k in COMMON else f"slurm_{k}": v for k, v in given.items()}
        )
        self._errands: list[Unit] = []
        self._jobs: dict[Any, Unit] = {}
        self._look_at = 0.0

    def send(self, unit: Unit) -> None:
        """Puts a unit among those that go out next."""

        self._errands.append(unit)

    def wait(self, timeout_s: float) -> list[Back]:
        """Sends what is to go out, as one array; returns what has come back."""

        if self._errands:
            units, self._errands = self._errands, []
            environment = [_environment()] * len(units)
            jobs = self._executor.map_array(Errand(), units, environment)
            self._jobs.update(zip(jobs, units, strict=True))
            self._look_at = time.monotonic() + LOOK_EVERY_S

        time.sleep(timeout_s)
        gone = self._gone()
        found = []
        for job, unit in list(self._jobs.items()):
            if job.paths.result_pickle.exists():
                del self._jobs[job]
                found.append(Back(unit, _outcome(job)))
            elif job in gone:
                del self._jobs[job]
                reason = f"job {job.job_id} was ended; see {job.paths.stderr}"
                found.append(Back(unit, reason, killed=True))

        return found

    def stop(self, unit: Unit) -> None:
        """Cancels the job of a unit."""

        for job, each in list(self._jobs.items()):
            if each is unit:
                job.cancel(check=False)
                del self._jobs[job]

    def close(self) -> None:
        """Cancels what has not come back."""

        for unit in list(self._jobs.values()):
            self.stop(unit)

    def _gone(self) -> list[Any]:
        """Returns the jobs that ended without leaving a result: killed, or cancelled."""

        if not self._jobs or time.monotonic() < self._look_at:
            return []
        self._look_at = time.monotonic() + LOOK_EVERY_S
        if not self._slurm:
            return [job for job in self._jobs if job.done(force_check=True)]

        # Slurm's accounting, which submitit asks, is not kept on every cluster: the queue is.
        asked = subprocess.run(
            ["squeue", "--me", "-h", "-r", "-o", "%i"], capture_output=True, text=True, check=False
        )
        queued = set(asked.stdout.split())

        return [j for j in self._jobs if j.job_id not in queued] if not asked.returncode else []


class Ray:
    """Tasks of a Ray cluster, or of one started on this machine.

    Arguments:
        settings: The settings of hydra/launcher: ray.init, what Ray is started or found with, and
            ray.remote, what a unit needs.
    """

    free = 1  # a queue takes everything

    def __init__(self, settings: Mapping[str, Any]) -> None:
        import ray

        of = settings.get("ray") or {}
        self._ray = ray
        self._started = not ray.is_initialized()
        if self._started:
            ray.init(**{"log_to_driver": False, "logging_level": "ERROR", **(of.get("init") or {})})
        self._perform = ray.remote(**{"max_retries": 0, **(of.get("remote") or {})})(
            _perform_elsewhere
        )
        self._tasks: dict[Any, Unit] = {}

    def send(self, unit: Unit) -> None:
        """Gives a unit to Ray."""

        self._tasks[self._perform.remote(unit, _environment())] = unit

    def wait(self, timeout_s: float) -> list[Back]:
        """Returns the units that have come back, within that time."""

        tasks = list(self._tasks)
        ready, _ = self._ray.wait(tasks, num_returns=1, timeout=timeout_s)

        return [self._hear(task) for task in ready]

    def stop(self, unit: Unit) -> None:
        """Cancels the task of a unit."""

        for task, each in list(self._tasks.items()):
            if each is unit:
                self._ray.cancel(task, force=True)
                del self._tasks[task]

    def close(self) -> None:
        """Cancels what has not come back; shuts Ray down, if it was started for this."""

        for unit in list(self._tasks.values()):
            self.stop(unit)
        if self._started:
            self._ray.shutdown()

    def _hear(self, task: Any) -> Back:
        unit = self._tasks.pop(task)
        try:
            self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            return Back(unit, " ".join(str(error.cause or error).split()))
        except self._ray.exceptions.RayError as error:  # the process or its machine is gone
            return Back(unit, f"Ray lost it: {str(error).splitlines()[0]}", killed=True)

        return Back(unit)


def _perform_elsewhere(unit: Unit, environment: Mapping[str, str]) -> None:
    os.environ.update(environment)
    perform(unit)


def _environment() -> dict[str, str]:
    """Returns what a process elsewhere must be told of this one."""

    return {key: value for key, value in os.environ.items() if key.startswith("ISOEXP_")}


def _outcome(job: Any) -> str | None:
    """Returns why a job left its unit, if it did."""

    error = job.exception()
    if error is None:
        return None

    lines = [line for line in str(error).splitlines() if line.strip()]
    said = [line for line in lines if not line.startswith(("-", "You can", " "))]

    return f"{said[-1] if said else lines[0]}; see {job.paths.stderr}"
