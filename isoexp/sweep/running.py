"""Running: units are sent out until every run has come to its end, whatever happens on the way.

Who does them, processes of this machine or of a cluster, is of no account here.
"""

__all__ = ["Hands", "run"]

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from ..experiment.preparation import Prepared
from ..experiment.sweeping import Sweeping
from ..store.lock import held
from .attempts import FINAL, Attempts, each, only
from .events import Back, Beat, Ended, Event, Left, Retried, Sent
from .units import Unit, halves

BEAT_S = 0.5
"""How often the folders of runs that are being done are looked at."""

PATIENCE_S = 2.0
"""How often those are that another process does."""


class Hands(Protocol):
    """What does units: processes here, or a cluster."""

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

    def wait(self, timeout_s: float) -> list[Back]:
        """Returns the units that have come back, within that time."""
        ...

    def stop(self, unit: Unit) -> None:
        """Has a unit left as it is, resumable; it does not come back."""
        ...

    def close(self) -> None:
        """Has all left as it is."""
        ...


def run(units: Sequence[Unit], hands: Hands, sweeping: Sweeping) -> Generator[Event, None, None]:
    """Sends units out until every run of them is completed, or has failed too often.

    Arguments:
        units: The units, in the order in which they are begun.
        hands: What does them; closed at the end.
        sweeping: How failures are met.
    """

    sweep = _Sweep(units, hands, sweeping)
    try:
        while sweep.waiting or sweep.working or sweep.elsewhere:
            yield from sweep.send()
            yield from sweep.hear() if sweep.working else sweep.look_elsewhere()
            if sweeping.fail_fast and sweep.attempts.failed:
                return
    finally:
        hands.close()


class _Sweep:
    """Where every unit is, and how often each run was tried."""

    def __init__(self, units: Sequence[Unit], hands: Hands, sweeping: Sweeping) -> None:
        self.hands, self.sweeping = hands, sweeping
        self.attempts = Attempts(units, sweeping.retries)
        self.waiting = deque(units)
        self.working: dict[Unit, float] = {}  # since when
        self.elsewhere: list[Unit] = []
        self._look_at = 0.0

    def send(self) -> Iterator[Event]:
        """Sends what can be sent."""

        while self.waiting and self.hands.free:
            unit = self.waiting.popleft()
            self.hands.send(unit)
            self.working[unit] = time.monotonic()
            yield Sent(unit)

    def hear(self) -> Iterator[Event]:
        """Waits a moment for units to come back, and looks at those that are being done."""

        for back in self.hands.wait(BEAT_S):
            del self.working[back.unit]
            yield from self._settle(back)
            self._look_at = 0.0

        limit = self.sweeping.timeout
        for unit, since in list(self.working.items()):
            if limit is not None and time.monotonic() - since > limit * unit.networks:
                self.hands.stop(unit)
                del self.working[unit]
                reason = f"took longer than sweep.timeout={limit:g} seconds a network"
                yield from self._settle(Back(unit, reason, final=True))

        now = time.monotonic()
        if now > self._look_at:
            yield from self._look()
            took = time.monotonic() - now
            self._look_at = now + max(BEAT_S, 20 * took)

    def look_elsewhere(self) -> Iterator[Event]:
        """Waits a moment for what other processes do, and takes over what they have left."""

        yield Left(sum(unit.networks for unit in self.elsewhere))
        time.sleep(PATIENCE_S)
        units, self.elsewhere = self.elsewhere, []
        for unit in units:
            yield from self._settle(Back(unit))

    def _look(self) -> Iterator[Event]:
        """Says how far units are, and which of their runs have come to their end."""

        far = {}
        for unit in self.working:
            far[unit], begun = (0, 0), False
            for job, seed in each([unit]):
                if self.attempts.has_ended(job, seed):
                    begun = True
                    continue
                end, at_work, made = self.attempts.look(job, seed)
                begun |= at_work
                if end is not None:
                    yield end
                else:
                    far[unit] = made
            if self.hands.queues and not begun:
                self.working[unit] = time.monotonic()
        yield Beat(far)

    def _settle(self, back: Back) -> Iterator[Event]:
        """Decides what becomes of the runs of a unit that is no longer worked on."""

        left: list[tuple[Prepared, int, str | None]] = []
        elsewhere: list[Prepared] = []
        for job, seed in each([back.unit]):
            if self.attempts.has_ended(job, seed):
                continue
            end = self.attempts.done(job, seed)
            if end is not None:
                yield end
            elif held(self.attempts.found(job, seed)):
                elsewhere.append(only(job, seed))
            else:
                left.append((job, seed, self.attempts.failure(job, seed) or back.reason))
            if back.final and back.reason:
                self.attempts.give_up(job, seed, back.reason)
        if elsewhere:
            self.elsewhere.append(replace(back.unit, jobs=tuple(elsewhere)))

        # What befell several at once may be the fault of one, or of their number. Parts of them
        # tell, and go on from where they were.
        reasons = Counter(reason for _, _, reason in left if reason)
        shared = {r for r, count in reasons.items() if count > 1 and not r.startswith(FINAL)}
        again: list[Prepared] = []
        for job, seed, reason in left:
            found = self.attempts.again(job, seed, reason, reason in shared, back.said)
            if isinstance(found, Ended):
                yield found
            else:
                again.append(found)

        if again:
            unit = replace(back.unit, jobs=tuple(again))
            units = halves(unit) if shared else [unit]
            self.waiting.extendleft(reversed(units))
            if reasons:
                yield Retried(len(again), next(iter(reasons)))
