"""Execution: which runs of a job are still to be done, and the doing of them.

What is finished is found by its identity before torch is imported, and not done again. To a run
that is trained but lacks what a probe would measure, the probe is put, and nothing is trained.
"""

__all__ = ["Aborted", "AlreadyDone", "HeldElsewhere", "Prepared", "execute", "prepare", "probed"]

import signal
import threading
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from omegaconf import DictConfig, OmegaConf

from ..errors import UserError
from ..identity import columns, identity, label, probe_identity, readable, telling
from ..runs import Busy, Run, claim, find
from .composition import Job
from .construction import build, check, sources
from .settings import Settings

if TYPE_CHECKING:
    from .bench import Bench
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


@dataclass(frozen=True)
class Prepared:
    """A job that has been checked, and the identity of each of its runs.

    Arguments:
        job: The job.
        settings: Its root keys.
        fingerprint: What identifies the content of its data.
        identities: The identity of the run of each seed.
        probes: The identity of what each probe measures, by the probe's name.
    """

    job: Job
    settings: Settings
    fingerprint: str
    identities: dict[int, str]
    probes: dict[str, str]

    def undone(self) -> dict[int, str]:
        """Returns the identities that are still to be done, or to be probed, by seed."""

        return {
            seed: each
            for seed, each in self.identities.items()
            if self.settings.force or not self.done(find(self.settings.study, each))
        }

    def done(self, run: Run | None) -> bool:
        """Whether a run is completed, and all probes have been put to it."""

        return run is not None and _completed(run) and not self.missing(run)

    def missing(self, run: Run) -> list[str]:
        """Returns the probes that have not been put to a run with these settings."""

        known = run.state.get("probes") or {}

        # With a twin that was named, an identity goes on behind a dash.
        return [
            name
            for name, each in self.probes.items()
            if str(known.get(name)).partition("-")[0] != each
        ]

    def identity(self, seed: int) -> str:
        """Returns the identity of the run of any seed."""

        return identity(self.job.config, seed, self.fingerprint, _foreign(self.job.config))

    def bench(self) -> "Bench":
        """Builds what the runs need; imports torch.

        Raises:
            UserError: If a part refuses its settings.
        """

        from .bench import Bench

        return Bench.of(self.job.config, self.settings)

    def record(self, bench: "Bench", run: Run, seed: int) -> "Record":
        """Returns the record of the run of a seed."""

        import torch

        from .record import Record

        job, cuda = self.job, bench.device.type == "cuda"
        alone = job.config.copy()
        OmegaConf.set_struct(alone, False)
        alone.merge_with({"seed": seed, "seeds": None})
        probes = OmegaConf.to_container(job.config.get("probe") or OmegaConf.create({}))

        def find_twin() -> Run | None:
            twin = find(self.settings.study, self.identity(seed + 1))
            return twin if _completed(twin) else None

        return Record(
            run=run,
            seed=seed,
            columns=columns(job.choices, self.settings.name, self.identities[seed], seed),
            settings=readable(job.config, seed),
            config=OmegaConf.to_yaml(alone, resolve=True),
            facts={
                "identity": self.identities[seed],
                "data": self.fingerprint,
                "words": telling(job.choices, job.words),
                "seed": seed,
                "seeds": list(self.settings.members),
                "device": str(bench.device),
                "device_name": torch.cuda.get_device_name() if cuda else None,
                "threads": torch.get_num_threads(),
            },
            logger=bench.logger,
            probes=cast(dict[str, dict[str, Any]], probes),
            identities=self.probes,
            find_twin=find_twin,
        )


def prepare(job: Job) -> Prepared:
    """Checks a job as far as can be without torch, and computes the identities of its runs.

    Raises:
        UserError: If the configuration asks for what cannot be.
    """

    config = job.config
    root = OmegaConf.to_container(config, resolve=True)
    assert isinstance(root, dict)
    settings = Settings.of({str(key): value for key, value in root.items()}, job.words)

    fingerprint = _fingerprint(config)
    foreign = _foreign(config)
    identities = {s: identity(config, s, fingerprint, foreign) for s in settings.members}

    return Prepared(job, settings, fingerprint, identities, _probe_identities(config))


def execute(
    prepared: Prepared,
) -> "Generator[Event | AlreadyDone | HeldElsewhere | Aborted, None, None]":
    """Does what is still to be done of a job, and yields what happens.

    An interruption (Ctrl-C, SIGTERM) leaves the runs resumable and goes on to the caller.

    Raises:
        UserError: If a part refuses its settings; nothing has been written then.
    """

    settings = prepared.settings
    undone = prepared.undone()
    for seed, each in prepared.identities.items():
        if seed not in undone and (run := find(settings.study, each)):
            yield AlreadyDone(run)
    if not undone:
        return

    check(prepared.job.config)
    bench = prepared.bench()

    with ExitStack() as stack:
        records = yield from _claim(prepared, bench, undone, stack)
        trained = [r for r in records if _completed(r.run) and not settings.force]
        for group in _together([r for r in records if r not in trained]):
            yield from _do(bench, group)
        for record in trained:
            yield from probed(bench, record, prepared.missing(record.run))


def _claim(
    prepared: Prepared, bench: "Bench", undone: Mapping[int, str], stack: ExitStack
) -> "Generator[AlreadyDone | HeldElsewhere, None, list[Record]]":
    """Claims the runs that no other process has, for as long as the stack lasts."""

    settings, job = prepared.settings, prepared.job
    records = []
    for seed, each in undone.items():
        try:
            run = stack.enter_context(
                claim(settings.study, label(job.choices, job.words, seed), each)
            )
        except Busy as busy:
            yield HeldElsewhere(str(busy))
            continue
        except OSError as error:
            raise UserError(f"cannot write to {settings.study}: {error}") from error

        if prepared.done(run) and not settings.force:  # by another process, just now
            yield AlreadyDone(run)
        else:
            records.append(prepared.record(bench, run, seed))

    return records


def _do(bench: "Bench", group: "list[Record]") -> "Generator[Event | Aborted, None, None]":
    """Trains networks as one; whatever ends it, each run is left with its state and its reason."""

    from .trial import Ended, trial

    for record in group:
        record.run.write_state("pending", together=[mate.seed for mate in group])

    left = list(group)
    try:
        with _terminable():
            for event in trial(bench, group):
                if isinstance(event, Ended):
                    left.remove(event.record)
                yield event
    except (KeyboardInterrupt, GeneratorExit):
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

    with _terminable():
        yield from put_probes(trained, record, names, twin)
    yield Ended(record, "completed")


def _completed(run: Run | None) -> bool:
    return run is not None and run.state.get("state") == "completed"


def _together(records: "list[Record]") -> "list[list[Record]]":
    """Groups runs as they were trained together before, and those that are new.

    A killed ensemble goes on as the same ensemble, if need be from its first update: batched with
    others a network's numbers may differ in the last bit. What diverged, or is repeated, is new.
    """

    from .. import checkpoint

    left = {record.seed: record for record in records}
    mates: dict[int, list[int] | None] = {}
    for record in records:
        run = record.run
        if _completed(run) or str(run.state.get("reason") or "").startswith("diverged"):
            checkpoint.discard(run.folder, all=True)
            run.write_state("pending", together=None, reason=None)
            mates[record.seed] = []
        else:
            mates[record.seed] = run.state.get("together")

    groups = []
    for seed, before in mates.items():
        if before and seed in left:
            members = [s for s in before if s in left and mates[s] in (None, before)]
            groups.append([left.pop(s) for s in members])

    return [*groups, list(left.values())] if left else groups


def _foreign(config: DictConfig) -> dict[str, str]:
    """Returns what identifies the classes from outside that numbers depend on."""

    return sources(OmegaConf.masked_copy(config, [str(key) for key in config if key != "probe"]))


def _probe_identities(config: DictConfig) -> dict[str, str]:
    nodes = config.get("probe") or {}

    return {
        str(name): probe_identity(
            cast(dict[str, Any], OmegaConf.to_container(node, resolve=True)),
            sources(OmegaConf.create({"probe": {name: node}})),
        )
        for name, node in nodes.items()
    }


def _fingerprint(config: DictConfig) -> str:
    """Returns what identifies the content of the data, once the configuration of it is checked."""

    check(OmegaConf.create({"data": config.data}))
    source = build(config, "data")
    try:
        return source.fingerprint()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"data: {' '.join(str(error).split()) or type(error).__name__}") from error


@contextmanager
def _terminable() -> Iterator[None]:
    """Lets SIGTERM, a cluster's farewell, interrupt as Ctrl-C does."""

    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
