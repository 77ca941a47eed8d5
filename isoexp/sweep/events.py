"""The events of a sweep while it goes on."""

__all__ = ["Beat", "Ended", "Event", "Left", "Resumed", "Retried", "Sent"]

from dataclasses import dataclass

from ..experiment.job import Ended, Resumed
from .unit import Unit


@dataclass(frozen=True)
class Sent:
    """A unit is being done."""

    unit: Unit


@dataclass(frozen=True)
class Beat:
    """How far the units are that are being done: updates made, and updates to be made."""

    units: dict[Unit, tuple[int, int]]


@dataclass(frozen=True)
class Retried:
    """Runs are tried again, for a reason."""

    networks: int
    reason: str


@dataclass(frozen=True)
class Left:
    """Runs are being done by other processes, which are waited for."""

    networks: int


Event = Sent | Beat | Ended | Resumed | Retried | Left
