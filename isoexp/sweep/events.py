"""Events: what is told of a sweep while it goes on."""

__all__ = ["Back", "Beat", "Ended", "Event", "Left", "Retried", "Sent"]

from dataclasses import dataclass

from ..store.run import Run
from .units import Unit


@dataclass(frozen=True)
class Back:
    """A unit is no longer worked on.

    Arguments:
        unit: The unit.
        reason: Why it was left, if it was not gone through.
        killed: Whether its process was.
        final: Whether it would be the same again.
        said: All that is known of the reason: an exception, or what the process had printed.
    """

    unit: Unit
    reason: str | None = None
    killed: bool = False
    final: bool = False
    said: str = ""


@dataclass(frozen=True)
class Sent:
    """A unit is being done."""

    unit: Unit


@dataclass(frozen=True)
class Beat:
    """How far the units are that are being done: updates made, and updates to be made."""

    units: dict[Unit, tuple[int, int]]


@dataclass(frozen=True)
class Ended:
    """A run has come to its end: completed, or failed for a reason."""

    run: Run
    reason: str | None = None


@dataclass(frozen=True)
class Retried:
    """Runs are tried again, for a reason."""

    networks: int
    reason: str


@dataclass(frozen=True)
class Left:
    """Runs are being done by other processes, which are waited for."""

    networks: int


Event = Sent | Beat | Ended | Retried | Left
