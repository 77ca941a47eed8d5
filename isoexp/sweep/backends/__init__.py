"""Backends: where the units of a sweep are done.

processes  of this machine, forked from worker     slurm      a Slurm cluster, or its stand-in here
ray        a Ray cluster                           hydra      Hydra's own launchers, a job at a time
launcher   which of them hydra/launcher=NAME asks for
"""

__all__ = ["Backend"]

from typing import Protocol

from ..unit import Outcome, Unit


class Backend(Protocol):
    """A place where units are done: processes here, or a cluster.

    One of the user's own is a class built as cls(out=…, **settings), `out` being the folder of the
    studies and the settings those of its file conf/hydra/launcher/NAME.yaml. What became of runs is
    read from their folders, which must be on a file system that all machines share.
    """

    @property
    def queues(self) -> bool:
        """Whether a unit that was sent may wait: it has taken no time then."""
        ...

    @property
    def free(self) -> int:
        """How many units can be sent now, or 1 if there is no end to it."""
        ...

    def send(self, unit: Unit) -> None:
        """Has a unit done."""
        ...

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        """Returns the units that were left within that time, and how."""
        ...

    def stop(self, unit: Unit) -> None:
        """Has a unit left as it is, resumable; it is not returned any more."""
        ...

    def close(self) -> None:
        """Has all left as it is."""
        ...
