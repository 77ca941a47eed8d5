"""A backend that does units in this process, in the order in which they are sent."""

from collections import deque

from isoexp.sweep import Outcome, Unit
from isoexp.sweep.unit import perform


class Here:
    """Does one unit whenever it is waited for."""

    free = 1
    queues = False

    def __init__(self, *_: object) -> None:
        self.units: deque[Unit] = deque()

    def send(self, unit: Unit) -> None:
        self.units.append(unit)

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        unit = self.units.popleft()
        perform(unit)

        return [(unit, Outcome())]

    def stop(self, unit: Unit) -> None:
        raise AssertionError("nothing here takes too long")

    def close(self) -> None:
        self.units.clear()
