"""Ray: a unit is a task of a Ray cluster, or of one that is started on this machine."""

__all__ = ["Ray"]

import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

from ...errors import one_line
from ..unit import Outcome, Unit
from .cluster import Cluster, attempted_elsewhere, environment

PATIENCE_S = 10.0
"""How long a task that is cancelled may take to leave its runs resumable."""


@dataclass(eq=False)
class Ray(Cluster):
    """Tasks of Ray's; the arguments of ray.init and ray.remote are its settings."""

    ray: dict[Literal["init", "remote"], dict[str, Any]]

    @classmethod
    def lacks(cls) -> str | None:
        """Says what this machine lacks to do units so; None if it lacks nothing."""

        return None if find_spec("ray") else "needs pip install isoexp[ray]"

    def __post_init__(self) -> None:
        super().__post_init__()
        ray: Any = import_module("ray")  # an extra: type checkers may not find it
        self._ray = ray
        self._started = not ray.is_initialized()
        init, remote = ({**(self.ray.get(name) or {})} for name in ("init", "remote"))
        self._attempt = ray.remote(**{"max_retries": 0, **remote})(_attempt)
        self._known = environment(int(remote.get("num_cpus") or 1))
        if self._started:
            ray.init(**{"log_to_driver": False, "logging_level": "ERROR", **init})
        self._tasks: dict[Any, Unit] = {}

    def send(self, unit: Unit) -> None:
        """Gives a unit to Ray."""

        self._tasks[self._attempt.remote(unit, self._known, os.getcwd(), sys.path)] = unit

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Returns the units that were left within that time, and how."""

        if not self._tasks:
            time.sleep(timeout_s)
            return self._found_lost()

        ready, _ = self._ray.wait([*self._tasks], num_returns=1, timeout=timeout_s)
        found = [left for task in ready if (left := self._hear(task))]

        return [*found, *self._found_lost()]

    def stop(self, unit: Unit) -> None:
        """Cancels the task of a unit, and waits until its runs are free."""

        self._cancel([task for task, each in self._tasks.items() if each is unit])
        self._see_off(unit)

    def close(self) -> None:
        """Cancels what has not come back; shuts Ray down, if it was started for this."""

        self._cancel([*self._tasks])
        if self._started:
            self._ray.shutdown()

    def _cancel(self, tasks: Sequence[Any]) -> None:
        for task in tasks:
            del self._tasks[task]
            self._ray.cancel(task)
        if tasks:
            _, left = self._ray.wait(tasks, num_returns=len(tasks), timeout=PATIENCE_S)
            for task in left:
                self._ray.cancel(task, force=True)

    def _hear(self, task: Any) -> tuple[Unit, Outcome] | None:
        """Returns how a task left its unit; None if its process died."""

        unit = self._tasks.pop(task)
        try:
            return unit, self._ray.get(task)
        except self._ray.exceptions.RayTaskError as error:
            return unit, Outcome(one_line(error.cause or error))
        except self._ray.exceptions.RayError as error:
            self._lose(unit, f"Ray lost it: {str(error).splitlines()[0]}")

        return None


def _attempt(
    unit: Unit, environment: Mapping[str, str], folder: str, path: Sequence[str]
) -> Outcome:
    """Does a unit in the folder of the one who sent it, so that relative paths hold."""

    os.chdir(folder)
    sys.path += [each for each in path if each not in sys.path]

    return attempted_elsewhere(unit, environment)
