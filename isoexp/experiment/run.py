"""Doing the runs of jobs: each once, by one process at a time, whatever ends it.

A finished run is found by its identity before torch is imported. To a run that is trained but lacks
rows of a probe, the probe is put, and nothing is trained.
"""

__all__ = ["damages", "execute", "put_again", "terminable"]

import signal
import threading
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import processes
from ..config.build import check
from ..errors import Unreadable, UserError, one_line
from ..store.lock import Busy, acquire
from ..store.run import Run
from ..store.study import Study, find, remember
from .job import (
    Aborted,
    AlreadyDone,
    Damaged,
    Ended,
    Event,
    Flawed,
    HeldElsewhere,
    Job,
    completed,
    undone,
)

if TYPE_CHECKING:
    from .lab import Lab
    from .probing import Trained
    from .record import Record


def execute(jobs: Sequence[Job], most: int | None = None) -> Generator[Event, None, None]:
    """Does the runs of jobs that are left to do, and yields what happens.

    Networks of one structure are trained as one, whichever of the jobs they are of. An interruption
    (Ctrl-C, SIGTERM) leaves the runs resumable and goes on to the caller.

    Arguments:
        most: The number of networks to train as one at most; None for no bound.

    Raises:
        UserError: If a part refuses its settings; nothing has been written then.
    """

    todo = list(zip(jobs, undone(jobs), strict=True))
    for job, left in todo:
        for seed, each in job.identities.items():
            if seed not in left and (run := find(job.settings.study, each)):
                yield AlreadyDone(run)
    todo = [(job, left) for job, left in todo if left]
    yield from damages([replace(job, identities=left) for job, left in todo])
    processes.tell(bool(todo))
    if not todo:
        return

    labs = _labs([job for job, _ in todo])
    for flaw in dict.fromkeys(flaw for lab in labs for flaw in lab.flaws):
        yield Flawed(flaw)
    if processes.size() > 1:
        from .train import check_shares

        check_shares(labs[0])

    with ExitStack() as stack:
        records = []
        for lab, (job, left) in zip(labs, todo, strict=True):
            records += yield from _acquired(job, lab, left, stack)

        trained = [r for r in records if completed(r.run) and not r.job.settings.force]
        for record in list(trained):
            reason = _unread(record)
            if reason is not None:
                trained.remove(record)
                yield Damaged(record.run, reason)
        parts = _together([record for record in records if record not in trained], most)
        for part in parts:  # all before the first is trained: none is to be divided otherwise
            mates = [record.identity for record in part]
            for record in part:
                record.run.write_state("pending", together=mates)
        if not parts:
            processes.tell(None)
        for part in parts:
            yield from _train(part)
        for record in trained:
            yield from put_again(record, record.job.missing(record.run))


def damages(jobs: Iterable[Job]) -> Iterator[Damaged]:
    """Yields the runs of jobs, all to be done, that are done again since a file is damaged."""

    studies: dict[Path, Study] = {}
    for job in jobs:
        folder = job.settings.study
        study = studies.get(folder) or studies.setdefault(folder, Study.of(folder))
        for seed, identity in job.identities.items():
            run = study.find(identity) or Run(folder / f"{job.label(seed)}-{identity[:8]}")
            reason = run.fault(lambda name: True)
            if reason is not None:
                yield Damaged(run, reason)


def put_again(
    record: "Record", names: Sequence[str], twin: "Trained | None" = None
) -> Generator[Event, None, None]:
    """Puts probes to a run that is trained already and held by this process.

    Arguments:
        twin: The network to compare with, instead of that of the next seed.
    """

    from .probing import Trained, put_probes

    try:
        record.reopen()
        trained = Trained.stored(record.lab, record.seed, record.run)
    except UserError as error:
        if isinstance(error, Unreadable):
            record.run.write_state("failed", reason=str(error))
        yield Aborted([record.run], str(error))
        return

    with terminable():
        if record.job.lacks_items(record.run):
            record.add_items(trained.network)
        yield from put_probes(trained, record, names, twin)
    yield Ended(record.run, record.drop() if record.gone else None)


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


def _unread(record: "Record") -> str | None:
    """Says why the weights of a completed run cannot be read back; None if they can."""

    from ..store import checkpoint

    try:
        checkpoint.final(record.run.folder)
        checkpoint.snapshots(record.run.folder)
    except Unreadable as error:
        return str(error)

    return None


def _labs(jobs: Sequence[Job]) -> "list[Lab]":
    """Builds the lab of each job; jobs that differ in the seed alone share one."""

    found: dict[str, Lab] = {}
    labs = []
    for job in jobs:
        alike = repr(({**job.config, "seed": 0}, replace(job.settings, seed=0)))
        if alike not in found:
            check(job.config)
            found[alike] = job.lab()
        labs.append(found[alike])

    return labs


def _acquired(
    job: Job, lab: "Lab", undone: Mapping[int, str], stack: ExitStack
) -> "Generator[Event, None, list[Record]]":
    """Acquires the runs that no other process has, for as long as the stack lasts."""

    from .record import Record

    study = job.settings.study
    records = []
    for seed, identity in undone.items():
        try:
            run = stack.enter_context(acquire(study, job.label(seed), identity))
            remember(study, job.network, job.held)
        except Busy as busy:
            yield HeldElsewhere(str(busy))
            continue
        except OSError as error:
            raise UserError(f"cannot write to {study}: {one_line(error)}") from error

        if job.done(run) and not job.settings.force:  # by another process, just now
            yield AlreadyDone(run)
        else:
            records.append(Record(job, lab, run, seed))

    return records


def _train(records: "Sequence[Record]") -> Generator[Event, None, None]:
    """Trains networks as one; whatever ends it, each run is left with its state and its reason."""

    from .train import train

    left = {record.run.folder: record for record in records}
    try:
        with terminable():
            for event in train(records):
                if isinstance(event, Ended):
                    del left[event.run.folder]
                yield event
    except (KeyboardInterrupt, SystemExit, GeneratorExit) as error:
        for record in left.values():
            if isinstance(error, SystemExit) and not processes.leaving():  # code of the user's
                record.abort(error)
            else:
                record.interrupt()
        raise
    except Exception as error:
        reasons = [record.abort(error) for record in left.values()]
        runs = [record.run for record in left.values()]
        yield Aborted(runs, reasons[0] if reasons else str(error))


def _together(records: "Sequence[Record]", most: int | None = None) -> "list[list[Record]]":
    """Divides runs into those to be trained as one, at most so many of the new ones.

    Runs that were trained together before go on so, for batched with others a network's numbers
    may differ in the last bit; one whose mates are gone goes on without them. A run that diverged,
    or is repeated, is new.
    """

    left = {record.identity: record for record in records}
    mates = {identity: _mates(record) for identity, record in left.items()}

    parts = []
    for identity, before in mates.items():
        if before and identity in left:
            found = [each for each in before if each in left and mates[each] in (None, before)]
            parts.append([left.pop(each) for each in found])

    structures: dict[str, list[Record]] = {}
    for record in left.values():
        structures.setdefault(record.job.structure, []).append(record)
    for alike in structures.values():
        for part in _trainable(alike):
            parts += even(part, most or len(part))

    return parts


def _mates(record: "Record") -> list[str] | None:
    """Returns the mates of the last start; [] if it starts anew, None if it never started."""

    from ..store import checkpoint

    run = record.run
    state = run.state
    if state.get("state") == "completed" or str(state.get("reason") or "").startswith("diverged"):
        checkpoint.discard(run.folder, all=True)
        run.write_state("pending", together=None, reason=None, before=run.last_end)
        return []

    return state.get("together")


def _trainable(records: "Sequence[Record]") -> "list[list[Record]]":
    """Divides runs of one structure into those that can be trained as one."""

    from .batching import divided, kinds

    each = list({id(record.lab): record for record in records}.values())
    parts: list[set[int]] = []
    for kind in kinds([record.lab for record in each]):
        alike = [each[i] for i in kind]
        found = divided([r.job.config for r in alike], lambda i, alike=alike: alike[i].lab)
        parts += [{id(alike[i].lab) for i in part} for part in found]

    return [[record for record in records if id(record.lab) in part] for part in parts]


def even(members: Sequence[Any], most: int) -> list[list[Any]]:
    """Cuts a list into as few parts as there must be, of nearly one length."""

    parts = -(-len(members) // most)
    short, longer = divmod(len(members), parts)
    ends = [0]
    for n in range(parts):
        ends.append(ends[-1] + short + (n < longer))

    return [list(members[a:b]) for a, b in pairwise(ends)]
