"""Preparation: what a job computes, and what of it is still to be done.

A job is checked as far as can be without torch. What is finished is found by its identity.
"""

__all__ = ["Prepared", "completed", "prepare", "prepare_all", "undone"]

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from .. import processes
from ..errors import UserError
from ..store.identity import (
    columns,
    identities,
    identity,
    probe_identity,
    readable,
    structure,
    telling,
)
from ..store.run import Run
from ..store.study import Study, find
from .configuration import Config, Job, written
from .construction import build, check, sources, targets
from .settings import Settings

if TYPE_CHECKING:
    from .bench import Bench
    from .record import Record


@dataclass(frozen=True)
class Prepared:
    """A job that has been checked, and the identity of each of its runs.

    Arguments:
        job: The job.
        settings: Its root keys.
        fingerprint: What identifies the content of its data.
        identities: The identity of the run of each seed.
        probes: The identity of what each probe measures, by the probe's name.
        sources: Hashes of the source of classes from outside that the numbers depend on.
    """

    job: Job
    settings: Settings
    fingerprint: str
    identities: dict[int, str]
    probes: dict[str, str]
    sources: Mapping[str, str]

    @cached_property
    def structure(self) -> str:
        """What jobs share whose networks can be trained as one."""

        return structure(self.job.config)

    def undone(self, study: Study | None = None) -> dict[int, str]:
        """Returns the identities that are still to be done, or to be probed, by seed.

        Arguments:
            study: The runs that there are; unless given, they are looked for.
        """

        if self.settings.force:
            return dict(self.identities)
        found = study.find if study else partial(find, self.settings.study)

        return {seed: each for seed, each in self.identities.items() if not self.done(found(each))}

    def done(self, run: Run | None) -> bool:
        """Whether a run is completed, and all probes have been put to it."""

        state = {} if run is None else run.state

        return state.get("state") == "completed" and not self._missing(state)

    def missing(self, run: Run) -> list[str]:
        """Returns the probes that have not been put to a run with these settings."""

        return self._missing(run.state)

    def _missing(self, state: Mapping[str, Any]) -> list[str]:
        known = state.get("probes") or {}

        # With a twin that was named, an identity goes on behind a dash.
        return [
            name
            for name, each in self.probes.items()
            if str(known.get(name)).partition("-")[0] != each
        ]

    def identity(self, seed: int) -> str:
        """Returns the identity of the run of any seed."""

        return identity(self.job.config, seed, self.fingerprint, self.sources)

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
        alone = {key: node for key, node in job.config.items() if key not in ("sweep", "search")}
        alone |= {"seed": seed, "seeds": None}

        def find_twin() -> Run | None:
            twin = find(self.settings.study, self.identity(seed + 1))
            return twin if completed(twin) else None

        return Record(
            run=run,
            seed=seed,
            columns=columns(job.choices, self.settings.name, self.identities[seed], seed),
            settings=readable(job.config, seed),
            config=written(alone),
            facts={
                "identity": self.identities[seed],
                "data": self.fingerprint,
                "words": telling(job.choices, job.words),
                "seed": seed,
                "seeds": list(self.settings.members),
                "device": str(bench.device),
                "device_name": torch.cuda.get_device_name() if cuda else None,
                "threads": torch.get_num_threads(),
                "processes": processes.size(),
            },
            logger=bench.logger,
            probes=job.config.get("probe") or {},
            identities=self.probes,
            find_twin=find_twin,
            draw=self.settings.figures is not False,
        )


def prepare(job: Job) -> Prepared:
    """Checks a job as far as can be without torch, and computes the identities of its runs.

    Raises:
        UserError: If the configuration asks for what cannot be.
    """

    (prepared,) = prepare_all([job])

    return prepared


def prepare_all(jobs: Iterable[Job]) -> list[Prepared]:
    """Prepares jobs; what they share is looked at once.

    Raises:
        UserError: If one asks for what cannot be.
    """

    fingerprint, probed = _once(_fingerprint), _once(_probe_identity)
    source = _once(sources)

    def one(job: Job) -> Prepared:
        config = job.config
        settings = Settings.of(config, job.words)
        data = fingerprint(config["data"])
        foreign = source(targets({k: node for k, node in config.items() if k != "probe"}))
        probes = config.get("probe") or {}

        return Prepared(
            job=job,
            settings=settings,
            fingerprint=data,
            identities=identities(config, settings.members, data, foreign),
            probes={name: probed((name, node)) for name, node in probes.items()},
            sources=foreign,
        )

    return [one(job) for job in jobs]


def undone(jobs: Iterable[Prepared]) -> list[dict[int, str]]:
    """Returns what is still to be done of each job, by seed; each study is listed once."""

    study = _once(Study.of)

    return [job.undone(study(job.settings.study)) for job in jobs]


def completed(run: Run | None) -> bool:
    """Whether there is a run, trained to its end."""

    return run is not None and run.state.get("state") == "completed"


def _once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Returns a function that is called once for each content that it is given."""

    known: dict[str, Any] = {}

    def call(given: Any) -> Any:
        content = repr(given)
        if content not in known:
            known[content] = function(given)
        return known[content]

    return call


def _probe_identity(named: tuple[str, Config]) -> str:
    name, node = named
    if not isinstance(node, Mapping):
        raise UserError(f"probe.{name} must have settings, got {node!r}")

    return probe_identity(node, sources(targets({"probe": {name: node}})))


def _fingerprint(node: Config) -> str:
    """Returns what identifies the content of the data, once the configuration of it is checked."""

    check({"data": node})
    source = build({"data": node}, "data")
    try:
        return source.fingerprint()
    except UserError:
        raise
    except Exception as error:
        raise UserError(f"data: {' '.join(str(error).split()) or type(error).__name__}") from error
