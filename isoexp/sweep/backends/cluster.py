"""Clusters: units are done on machines elsewhere, by engines that exist.

What is written there comes back over a file system that all machines share, and locks of which
they all respect.
"""

__all__ = ["Cluster", "attempted_elsewhere", "environment"]

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ...store.lock import held
from ...store.run import HEARTBEAT_DEAD_S
from ...store.study import find
from ..unit import Outcome, Unit, attempted

CERTAIN_S = HEARTBEAT_DEAD_S + 5
"""So long after its process is gone, a run that seems to be worked on is another process's."""


@dataclass(eq=False)
class Cluster:
    """Abstract backend of machines elsewhere; its fields are the settings of hydra/launcher."""

    out: Path

    queues = True

    def __post_init__(self) -> None:
        self._lost: dict[Unit, tuple[Outcome, float]] = {}

    @property
    def free(self) -> int:
        """A queue takes everything."""

        return 1

    def _lose(self, unit: Unit, reason: str, details: str = "") -> None:
        """Notes that the process of a unit is gone; the unit comes back when that is certain."""

        self._lost[unit] = (Outcome(reason, details, died=True), time.monotonic())

    def _found_lost(self) -> list[tuple[Unit, Outcome]]:
        """Returns the units whose process is gone and whose runs are free to be tried again.

        For a minute the last state that a machine wrote reads as if it were still at work.
        """

        found = []
        for unit, (outcome, since) in list(self._lost.items()):
            if time.monotonic() - since > CERTAIN_S or _let_go(unit):
                del self._lost[unit]
                found.append((unit, outcome))

        return found

    def _see_off(self, unit: Unit) -> None:
        since = time.monotonic()
        while not _let_go(unit) and time.monotonic() - since < CERTAIN_S:
            time.sleep(0.1)


def attempted_elsewhere(unit: Unit, environment: Mapping[str, str]) -> Outcome:
    """Does a unit in a process elsewhere, with variables of the one that sent it."""

    os.environ.update(environment)

    return attempted(unit)


def environment(threads: int) -> dict[str, str]:
    """Returns what a process elsewhere must know of this one, and its number of threads."""

    own = {key: value for key, value in os.environ.items() if key.startswith("ISOEXP_")}

    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)), **own}


def _let_go(unit: Unit) -> bool:
    """Whether nobody seems to work on the runs of a unit."""

    runs = (find(job.settings.study, key) for job in unit.jobs for key in job.identities.values())

    return not any(run is not None and held(run) for run in runs)
