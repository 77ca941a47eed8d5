"""Clusters: units are done on machines elsewhere, by engines that exist.

What is written there comes back over a file system that all machines share, and locks of which
they all respect.
"""

__all__ = ["Cluster", "attempt", "environment"]

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from ..errors import UserError
from ..store.lock import held
from ..store.run import HEARTBEAT_DEAD_S
from ..store.study import find
from .events import Back
from .units import Unit, perform

CERTAIN_S = HEARTBEAT_DEAD_S + 5
"""So long after its process is gone, a run that seems to be worked on is another process's."""


@dataclass(eq=False)
class Cluster:
    """What is common to all: the fields are the settings of a choice of hydra/launcher.

    Arguments:
        out: The folder of the studies.
    """

    out: Path

    queues = True

    def __post_init__(self) -> None:
        self._lost: dict[Unit, tuple[Back, float]] = {}

    @property
    def free(self) -> int:
        """A queue takes everything."""

        return 1

    def _lose(self, unit: Unit, reason: str, said: str = "") -> None:
        """Notes that the process of a unit is gone; the unit comes back when that is certain."""

        self._lost[unit] = (Back(unit, reason, killed=True, said=said), time.monotonic())

    def _found_lost(self) -> list[Back]:
        """Returns the units whose process is gone and whose runs are free to be tried again.

        What a machine wrote before it went reads for a minute as if it were at work still.
        """

        found = []
        for unit, (back, since) in list(self._lost.items()):
            if time.monotonic() - since > CERTAIN_S or _let_go(unit):
                del self._lost[unit]
                found.append(back)

        return found

    def _see_off(self, unit: Unit) -> None:
        """Waits until the runs of a unit that was cancelled are free."""

        since = time.monotonic()
        while not _let_go(unit) and time.monotonic() - since < CERTAIN_S:
            time.sleep(0.1)


def attempt(unit: Unit, environment: Mapping[str, str]) -> str | None:
    """Does a unit, in a process elsewhere; returns why it was left, if it was.

    Arguments:
        unit: The unit.
        environment: What the process is to know of the one that sent it.
    """

    os.environ.update(environment)
    try:
        perform(unit)
    except UserError as error:
        return str(error)

    return None


def environment(threads: int) -> dict[str, str]:
    """Returns what a process elsewhere must know of this one, and its number of threads."""

    own = {key: value for key, value in os.environ.items() if key.startswith("ISOEXP_")}

    return {"OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", str(threads)), **own}


def _let_go(unit: Unit) -> bool:
    """Whether nobody seems to work on the runs of a unit."""

    runs = (find(job.settings.study, key) for job in unit.jobs for key in job.identities.values())

    return not any(run is not None and held(run) for run in runs)
