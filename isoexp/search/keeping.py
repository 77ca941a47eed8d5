"""Keeping: workers serve one plan after the other, for a process needs seconds to get going."""

__all__ = ["Kept", "Lent"]

from collections.abc import Callable
from typing import Any

from ..sweep import Back, Hands, Plan, Unit


class Kept:
    """What does the units of one plan after the other.

    Arguments:
        does: Makes it.
    """

    def __init__(self, does: Callable[[Plan], Hands]) -> None:
        self._does = does
        self._hands: Hands | None = None
        self._fits: Any = None

    def of(self, plan: Plan) -> "Lent":
        """Returns what does the units of a plan, that of the plan before if it fits."""

        fits = (plan.workers, plan.threads, plan.devices)
        if self._hands is None or fits != self._fits:
            self.close()
            self._hands, self._fits = self._does(plan), fits

        return Lent(self, self._hands)

    def close(self) -> None:
        """Ends it."""

        hands, self._hands = self._hands, None
        if hands is not None:
            hands.close()


class Lent:
    """What does the units of one plan; closed, it is given back, but ended if it is at work."""

    def __init__(self, kept: Kept, hands: Hands) -> None:
        self._kept, self._hands = kept, hands
        self._working: set[Unit] = set()

    @property
    def queues(self) -> bool:
        return self._hands.queues

    @property
    def free(self) -> int:
        return self._hands.free

    def send(self, unit: Unit) -> None:
        self._working.add(unit)
        self._hands.send(unit)

    def wait(self, timeout_s: float) -> list[Back]:
        found = self._hands.wait(timeout_s)
        self._working -= {back.unit for back in found}

        return found

    def stop(self, unit: Unit) -> None:
        self._working.discard(unit)
        self._hands.stop(unit)

    def close(self) -> None:
        if self._working:
            self._kept.close()
