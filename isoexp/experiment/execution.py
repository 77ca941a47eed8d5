"""Execution: which runs of a job are still to be done, and the doing of them.

What is finished is found by its identity before torch is imported, and not done again. To a run
that is trained but lacks what a probe would measure, the probe is put, and nothing is trained.
"""

__all__ = ["Aborted", "AlreadyDone", "HeldElsewhere", "execute", "probed", "terminable"]

import signal
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from .. import processes
from ..errors import UserError
from ..store.identity import label
from ..store.lock import Busy, acquire
from ..store.run import Run
from ..store.study import find
from .construction import check
from .preparation import Prepared, completed, undone

if TYPE_CHECKING:
    from .bench import Bench
    from .joining import Member
    from .probing import Trained
    from .record import Record
    from .trial import Event


@dataclass(frozen=True)
class AlreadyDone:
    """A run was completed before."""

    run: Run


@dataclass(frozen=True)
class HeldElsewhere:
    """A run is being done by another process."""

    message: str


@dataclass(frozen=True)
class Aborted:
    """Runs failed together, by an exception; the first line says why."""

    runs: list[Run]
    reason: str


def execute(
    jobs: Sequence[Prepared], most: int | None = None
) -> "Generator[Event | AlreadyDone | HeldElsewhere | Aborted, None, None]":
    """Does what is still to be done of jobs, and yields what happens.

    Networks of one structure are trained as one, whichever of the jobs they are of. An interruption
    (Ctrl-C, SIGTERM) leaves the runs resumable and goes on to the caller.

    Arguments:
        jobs: The jobs, of different runs.
        most: How many networks are trained as one at most; None for all that can be.

    Raises:
        UserError: If a part refuses its settings; nothing has been written then.
    """

    todo = list(zip(jobs, undone(jobs), strict=True))
    for job, left in todo:
        for seed, each in job.identities.items():
            if seed not in left and (run := find(job.settings.study, each)):
                yield AlreadyDone(run)
    todo = [(job, left) for job, left in todo if left]
    processes.tell(bool(todo))
    if not todo:
        return

    benches = _benches([job for job, _ in todo])
    if processes.size() > 1:
        from .following import check_shares

        check_shares(benches[0])

    from .joining import joined

    with ExitStack() as stack:
        members = []
        for bench, (job, left) in zip(benches, todo, strict=True):
            members += yield from _claim(job, bench, left, stack)

        trained = [m for m in members if completed(m.record.run) and not m.job.settings.force]
        groups = joined([member for member in members if member not in trained], most)
        for group in groups:  # all before the first is trained: none is to be divided otherwise
            for member in group:
                mates = [mate.identity for mate in group]
                member.record.run.write_state("pending", together=mates)
        if not groups:
            processes.tell(None)
        for group in groups:
            yield from _do(group)
        for member in trained:
            missing = member.job.missing(member.record.run)
            yield from probed(member.bench, member.record, missing)


def _benches(jobs: Sequence[Prepared]) -> "list[Bench]":
    """Returns the bench of each job; those that differ in the seed alone share one.

    Raises:
        UserError: If a part refuses its settings.
    """

    found: dict[str, Bench] = {}
    benches = []
    for job in jobs:
        alike = repr(({**job.job.config, "seed": 0}, replace(job.settings, seed=0)))
        if alike not in found:
            check(job.job.config)
            found[alike] = job.bench()
        benches.append(found[alike])

    return benches


def _claim(
    prepared: Prepared, bench: "Bench", undone: Mapping[int, str], stack: ExitStack
) -> "Generator[AlreadyDone | HeldElsewhere, None, list[Member]]":
    """Claims the runs that no other process has, for as long as the stack lasts."""

    from .joining import Member

    settings, job = prepared.settings, prepared.job
    members = []
    for seed, each in undone.items():
        try:
            run = stack.enter_context(
                acquire(settings.study, label(job.choices, job.words, seed), each)
            )
        except Busy as busy:
            yield HeldElsewhere(str(busy))
            continue
        except OSError as error:
            raise UserError(f"cannot write to {settings.study}: {error}") from error

        if prepared.done(run) and not settings.force:  # by another process, just now
            yield AlreadyDone(run)
        else:
            members.append(Member(prepared, bench, prepared.record(bench, run, seed)))

    return members


def _do(group: "Sequence[Member]") -> "Generator[Event | Aborted, None, None]":
    """Trains networks as one; whatever ends it, each run is left with its state and its reason."""

    from .trial import Ended, trial

    left = [member.record for member in group]
    try:
        with terminable():
            for event in trial([member.bench for member in group], list(left)):
                if isinstance(event, Ended):
                    left.remove(event.record)
                yield event
    except (KeyboardInterrupt, SystemExit, GeneratorExit):
        for record in left:
            record.interrupt()
        raise
    except Exception as error:
        reasons = [record.abort(error) for record in left]
        yield Aborted([record.run for record in left], reasons[0] if reasons else str(error))


def probed(
    bench: "Bench", record: "Record", names: Sequence[str], twin: "Trained | None" = None
) -> "Generator[Event | Aborted, None, None]":
    """Puts probes to a run that is trained already and held by this process.

    Arguments:
        bench: The objects of its configuration.
        record: Its record.
        names: The names of the probes.
        twin: What it is compared with, instead of the network of the next seed.
    """

    from .probing import Trained, put_probes
    from .trial import Ended

    try:
        record.reopen()
        trained = Trained.stored(bench, record.seed, record.run)
    except UserError as error:
        yield Aborted([record.run], str(error))
        return

    with terminable():
        yield from put_probes(trained, record, names, twin)
    yield Ended(record, "completed")


@contextmanager
def terminable() -> Iterator[None]:
    """Lets SIGTERM interrupt as Ctrl-C does, where nobody else has a use for it: submitit has."""

    main = threading.current_thread() is threading.main_thread()
    if not main or signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL:
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
