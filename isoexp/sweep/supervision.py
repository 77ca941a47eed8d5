"""Supervision: units are sent to a backend until every run has come to its end.

Whatever happens on the way: a run that fails stops no other, and is tried again.
"""

__all__ = ["run"]

import time
from collections import Counter, deque
from collections.abc import Generator, Iterator, Sequence
from dataclasses import replace

from ..config.axes import SweepSettings
from ..errors import UserError
from ..experiment.job import Job
from ..store.lock import held
from .attempts import FINAL, Attempts, only
from .backends import Backend
from .events import Beat, Ended, Event, Left, Retried, Sent
from .unit import Outcome, Unit, halves, runs_of

BEAT_S = 0.5
"""How often the folders of runs that are being done are looked at."""

PATIENCE_S = 2.0
"""How often those are that another process does."""


def run(
    units: Sequence[Unit], backend: Backend, settings: SweepSettings
) -> Generator[Event, None, None]:
    """Sends units out until every run of them is completed, or has failed too often.

    Arguments:
        units: The units, in the order in which they are begun.
        backend: Where they are done; closed at the end.
        settings: How failures are met.

    Raises:
        UserError: If a backend of the user's own breaks.
    """

    sweep = _Sweep(units, backend, settings)
    try:
        while sweep.waiting or sweep.working or sweep.elsewhere:
            yield from sweep.send()
            yield from sweep.hear() if sweep.working else sweep.look_elsewhere()
            if settings.fail_fast and sweep.attempts.failed:
                return
    except (UserError, OSError):
        raise
    except Exception as error:
        if type(backend).__module__.startswith("isoexp."):
            raise
        name = type(backend).__name__
        raise UserError(f"the backend {name} failed: {type(error).__name__}: {error}") from error
    finally:
        backend.close()


class _Sweep:
    def __init__(self, units: Sequence[Unit], backend: Backend, settings: SweepSettings) -> None:
        self.backend, self.settings = backend, settings
        self.attempts = Attempts(units, settings.retries)
        self.waiting = deque(units)
        self.working: dict[Unit, float] = {}  # since when
        self.elsewhere: list[Unit] = []
        self._look_at = 0.0

    def send(self) -> Iterator[Event]:
        """Sends what can be sent."""

        while self.waiting and self.backend.free:
            unit = self.waiting.popleft()
            self.backend.send(unit)
            self.working[unit] = time.monotonic()
            yield Sent(unit)

    def hear(self) -> Iterator[Event]:
        """Waits a moment for units to come back, and looks at those that are being done."""

        for unit, outcome in self.backend.wait(BEAT_S):
            del self.working[unit]
            yield from self._settle(unit, outcome)
            self._look_at = 0.0

        limit = self.settings.timeout
        for unit, since in list(self.working.items()):
            if limit is not None and time.monotonic() - since > limit * unit.networks:
                self.backend.stop(unit)
                del self.working[unit]
                reason = f"took longer than sweep.timeout={limit:g} seconds a network"
                yield from self._settle(unit, Outcome(reason, final=True))

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
            yield from self._settle(unit, Outcome())

    def _look(self) -> Iterator[Event]:
        """Tells how far units are, and which of their runs have come to their end."""

        far = {}
        for unit in self.working:
            far[unit], begun = (0, 0), False
            for job, seed in runs_of([unit]):
                if self.attempts.has_ended(job, seed):
                    begun = True
                    continue
                end, at_work, made = self.attempts.look(job, seed)
                begun |= at_work
                if at_work:
                    yield from self.attempts.resumed(job, seed)
                if end is not None:
                    yield end
                else:
                    far[unit] = made
            if self.backend.queues and not begun:
                self.working[unit] = time.monotonic()
        yield Beat(far)

    def _settle(self, unit: Unit, outcome: Outcome) -> Iterator[Event]:
        """Decides about the runs of a unit that a backend has left."""

        left: list[tuple[Job, int, str | None]] = []
        elsewhere: list[Job] = []
        for job, seed in runs_of([unit]):
            if self.attempts.has_ended(job, seed):
                continue
            end = self.attempts.done(job, seed)
            yield from self.attempts.resumed(job, seed)
            if end is not None:
                yield end
            elif held(self.attempts.found(job, seed)):
                elsewhere.append(only(job, seed))
            else:
                left.append((job, seed, self.attempts.failure(job, seed) or outcome.reason))
            if outcome.final and outcome.reason:
                self.attempts.give_up(job, seed, outcome.reason)
        if elsewhere:
            self.elsewhere.append(replace(unit, jobs=tuple(elsewhere)))

        # What befell several at once may be the fault of one, or of their number. Parts of them
        # tell, and go on from where they were.
        reasons = Counter(reason for _, _, reason in left if reason)
        shared = {r for r, count in reasons.items() if count > 1 and not r.startswith(FINAL)}
        again: list[Job] = []
        for job, seed, reason in left:
            found = self.attempts.again(job, seed, reason, reason in shared, outcome.details)
            if isinstance(found, Ended):
                yield found
            else:
                again.append(found)

        if again:
            left_over = replace(unit, jobs=tuple(again))
            # A process may die of another cause. Trained otherwise, last bits would be others.
            whole = outcome.died and not unit.died
            left_over = replace(left_over, died=unit.died or outcome.died)
            units = halves(left_over) if shared and not whole else [left_over]
            self.waiting.extendleft(reversed(units))
            if reasons:
                yield Retried(len(again), next(iter(reasons)))
