"""A backend that is kept from one plan to the next, for a process needs seconds to get going."""

__all__ = ["Kept", "Lent"]

from collections.abc import Callable
from typing import Any

from ..sweep import Backend, Outcome, Plan, Unit


class Kept:
    """A backend for one plan after the other.

    Arguments:
        build: Builds the backend of a plan.
    """

    def __init__(self, build: Callable[[Plan], Backend]) -> None:
        self._build = build
        self._backend: Backend | None = None
        self._fits: Any = None

    def of(self, plan: Plan) -> "Lent":
        """Lends the backend of the plan before, if it fits this plan; else a new one."""

        fits = (plan.workers, plan.threads, plan.devices)
        if self._backend is None or fits != self._fits:
            self.close()
            self._backend, self._fits = self._build(plan), fits

        return Lent(self, self._backend)

    def close(self) -> None:
        """Closes the backend, if there is one."""

        backend, self._backend = self._backend, None
        if backend is not None:
            backend.close()


class Lent:
    """A backend lent to one plan; closing gives it back, and ends it if it is at work."""

    def __init__(self, kept: Kept, backend: Backend) -> None:
        self._kept, self._backend = kept, backend
        self._working: set[Unit] = set()

    @property
    def queues(self) -> bool:
        return self._backend.queues

    @property
    def free(self) -> int:
        return self._backend.free

    def send(self, unit: Unit) -> None:
        self._working.add(unit)
        self._backend.send(unit)

    def wait(self, timeout_s: float) -> list[tuple[Unit, Outcome]]:
        found = self._backend.wait(timeout_s)
        self._working -= {unit for unit, _ in found}

        return found

    def stop(self, unit: Unit) -> None:
        self._working.discard(unit)
        self._backend.stop(unit)

    def close(self) -> None:
        if self._working:
            self._kept.close()
