"""Jobs: what a configuration computes, what of it is left to do, and what happens meanwhile.

A job is checked as far as can be without torch. A finished run is found by its identity.
"""

__all__ = [
    "Aborted", "Advance", "AlreadyDone", "Damaged", "Ended", "Event", "Flawed", "HeldElsewhere",
    "Job", "Logged", "Probed", "ProbeFailed", "Resumed", "TwinTraining", "Unmeasured", "completed",
    "prepare", "prepare_all", "refuse_idle", "undone", "validate",
]  # fmt: skip

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .. import __version__
from ..config.build import build, check, own_settings, targets, with_targets
from ..config.composition import Composition
from ..config.document import Config
from ..config.groups import GROUPS, handed
from ..config.settings import Settings, check_runs, count_seeds
from ..config.targets import sources
from ..errors import UserError, blamed
from ..names import check_name
from ..store.identity import identities, identity, label, likeness, probe_identity, structure
from ..store.run import Run, damaged
from ..store.study import Study, find, held

if TYPE_CHECKING:
    from .lab import Lab


@dataclass(frozen=True)
class AlreadyDone:
    """A run was completed before."""

    run: Run


@dataclass(frozen=True)
class Damaged:
    """What is wrong with files of a run that was completed: they are made again."""

    run: Run
    reason: str


@dataclass(frozen=True)
class Flawed:
    """A network that is about to be trained is degenerate by construction."""

    flaw: str


@dataclass(frozen=True)
class HeldElsewhere:
    """Another process does a run."""

    message: str


@dataclass(frozen=True)
class Resumed:
    """A run goes on under conditions on which its last bits may depend, and says which."""

    run: Run
    changes: str


@dataclass(frozen=True)
class Advance:
    """An update was made."""

    step: int
    steps: int


@dataclass(frozen=True)
class Logged:
    """A row of each network that is still going was written."""

    rows: list[dict[str, Any]]


@dataclass(frozen=True)
class Ended:
    """A run has come to its end: completed, or failed for a reason."""

    run: Run
    reason: str | None = None


@dataclass(frozen=True)
class Aborted:
    """Runs failed together, by an exception; the first line says why."""

    runs: list[Run]
    reason: str


@dataclass(frozen=True)
class Probed:
    """A probe has measured; its rows are written, and its figure unless that failed."""

    run: Run
    name: str
    rows: int
    numbers: dict[str, float]
    undrawn: str | None = None


@dataclass(frozen=True)
class Unmeasured:
    """A probe cannot measure this network."""

    run: Run
    name: str
    reason: str


@dataclass(frozen=True)
class ProbeFailed:
    """A probe failed by an exception, kept whole in probes/<name>.error.txt."""

    run: Run
    name: str
    reason: str


@dataclass(frozen=True)
class TwinTraining:
    """A twin is about to be trained, since no run of it is found."""

    run: Run
    seed: int


Event = (
    AlreadyDone | Damaged | Flawed | HeldElsewhere | Resumed | Advance | Logged | Ended | Aborted
    | Probed | Unmeasured | ProbeFailed | TwinTraining
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """A configuration that has been checked, and the identity of each of its runs.

    Arguments:
        config: The configuration, without the groups of which the network has no part.
        fingerprint: A hash of the content of its data.
        identities: The identity of the run of each seed.
        probes: The identity of each probe's measurement, by the probe's name.
        sources: Hashes of the source of classes from outside that the numbers depend on.
        network: A hash of what the network is built of.
        held: The groups that models are handed of which it has a part.
        idle: Overrides of groups of which the network has no part, which are left out.
        shared: Parts of a folder's name that all runs of a sweep would have.
        plan: The line of the plan of a claim that it is done for.
    """

    config: Config
    choices: Mapping[str, str]
    overrides: tuple[str, ...]
    settings: Settings
    fingerprint: str
    identities: dict[int, str]
    probes: dict[str, str]
    sources: Mapping[str, str]
    network: str
    held: tuple[str, ...]
    idle: tuple[str, ...] = ()
    shared: frozenset[str] = frozenset()
    plan: Mapping[str, Any] | None = None

    @cached_property
    def structure(self) -> str:
        """A hash of all that jobs share whose networks can be trained as one."""

        return structure(self.config)

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
        """Whether a run is completed, and all that is asked of it has been measured."""

        if run is None or not completed(run):
            return False

        return not self.missing(run) and not self.lacks_items(run)

    @property
    def items(self) -> bool:
        """Whether the outcome of each test sample is kept."""

        own = own_settings(self.config, "data")

        return own["split"] == "seed" if own["items"] is None else own["items"]

    def lacks_items(self, run: Run) -> bool:
        """Whether the outcomes of its test samples are asked for, and are not there."""

        name = "items.parquet"

        return self.items and (not (run.folder / name).exists() or bool(run.fault(name.__eq__)))

    def missing(self, run: Run) -> list[str]:
        """Returns the probes that have not been put to a run with these settings."""

        known = run.state.get("probes") or {}

        # With a twin that was named, an identity goes on behind a dash.
        return [
            name
            for name, each in self.probes.items()
            if str(known.get(name)).partition("-")[0] != each
            or run.fault(f"probes/{name}.parquet".__eq__)
        ]

    def identity(self, seed: int) -> str:
        """Returns the identity of the run of any seed."""

        return identity(self.config, seed, self.fingerprint, self.sources)

    def label(self, seed: int) -> str:
        """Returns the readable part of the name of a run's folder."""

        return label(self.choices, self.overrides, seed, self.shared)

    def lab(self) -> "Lab":
        """Builds all objects that the runs need; imports torch."""

        from .lab import Lab

        return Lab.of(self.config, self.settings)


def prepare(composition: Composition) -> Job:
    """Checks one configuration, as `prepare_all`."""

    (job,) = prepare_all([composition])

    return job


def prepare_all(compositions: Iterable[Composition]) -> list[Job]:
    """Checks configurations as far as can be without torch, and computes their identities.

    Raises:
        UserError: If a configuration is impossible.
    """

    fingerprint, probed = _once(_fingerprint), _once(_probe_identity)
    source, network = _once(sources), _once(_network)

    def one(composed: Composition) -> Job:
        settings = Settings.of(composed.config)
        typed = {text.partition("=")[0] for text in composed.overrides}
        if {"epochs", "steps"} <= typed and None not in (settings.epochs, settings.steps):
            raise UserError("epochs and steps exclude each other: give one of them")
        config = with_targets(composed.config, composed.overrides)
        known = _bare(config["data"])
        data = fingerprint(known)
        own_settings(config, "data")
        of = {k: config[k] for k in ("model", *handed()) if config.get(k)} | {"data": known}
        key, groups = network((settings.study, of))
        absent = {group for group in handed() if group not in groups}
        config = {k: node for k, node in config.items() if k not in absent}
        idle = [t for t in composed.overrides if re.split(r"[.=]", t.lstrip("+~"))[0] in absent]
        foreign = source(targets({k: node for k, node in config.items() if k != "probe"}))
        probes = config.get("probe") or {}

        return Job(
            config=config,
            choices={k: name for k, name in composed.choices.items() if k not in absent},
            overrides=tuple(text for text in composed.overrides if text not in idle),
            settings=settings,
            fingerprint=data,
            identities=identities(config, settings.members, data, foreign),
            probes={name: probed((name, node)) for name, node in probes.items()},
            sources=foreign,
            network=key,
            held=groups,
            idle=tuple(idle),
        )

    compositions = list(compositions)
    runs = sum(count_seeds(composed.config.get("seeds")) for composed in compositions)
    of = (
        f"={compositions[0].config['seeds']}" if len(compositions) == 1 else " of all jobs together"
    )
    check_runs(runs, f"seeds{of}")

    return [one(composed) for composed in compositions]


def refuse_idle(jobs: Sequence[Job]) -> None:
    """Refuses to set what no network of these jobs has.

    Raises:
        UserError: If an override is of a group of which none has a part.
    """

    for job in jobs:
        for text in job.idle:
            group = re.split(r"[.=]", text.lstrip("+~"))[0]
            if not any(group in other.config for other in jobs):
                model = job.choices.get("model")
                raise UserError(f"model={model} takes no {group}: leave {text} out")


def undone(jobs: Iterable[Job]) -> list[dict[int, str]]:
    """Returns the identities of each job that are left to do, by seed; studies are listed once."""

    study = _once(Study.of)

    return [job.undone(study(job.settings.study)) for job in jobs]


def completed(run: Run | None) -> bool:
    """Whether there is a run, trained to its end, with all files that it was left with."""

    return run is not None and run.state.get("state") == "completed" and damaged(run) is None


def validate(jobs: Iterable[Job]) -> list[str]:
    """Tries all parts of jobs before the first one starts; imports torch, if there are any.

    Returns the flaws of their networks, those of the first job of each structure.

    The first job of each structure is built in full, on its data. Of the others, which differ from
    it in real numbers, probes and the like, each part is tried once with each content.

    Raises:
        UserError: If a part refuses its settings, or data or device are not there.
    """

    structures: dict[str, list[Job]] = {}
    for job in jobs:
        structures.setdefault(job.structure, []).append(job)

    tried: set[str] = set()
    flaws: list[str] = []
    for first, *others in structures.values():
        check(first.config)
        lab = first.lab()
        flaws += lab.flaws
        tried |= set(_contents(first.config).values())
        for job in others:
            contents = _contents(job.config)
            fresh = [part for part, content in contents.items() if content not in tried]
            if fresh:
                check({part: job.config[part] for part in fresh})
                lab.try_parts(job.config, job.settings, fresh)
                tried |= {contents[part] for part in fresh}

    return list(dict.fromkeys(flaws))


def _contents(config: Config) -> dict[str, str]:
    """Returns a text for each part of a configuration, equal where two would build the same."""

    return {
        part: f"{part} {node}"
        for part, node in config.items()
        if isinstance(node, dict) and part not in ("sweep", "search")
    }


def _once(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Memoizes a function by the content of its argument."""

    known: dict[str, Any] = {}

    def call(given: Any) -> Any:
        content = repr(given)
        if content not in known:
            known[content] = function(given)
        return known[content]

    return call


def _probe_identity(named: tuple[str, Config]) -> str:
    name, node = named
    check_name("a probe's name", name)
    if not isinstance(node, Mapping):
        raise UserError(f"probe.{name} must have settings, got {node!r}")

    return probe_identity(node, sources(targets({"probe": {name: node}})))


def _network(given: tuple[Path, Config]) -> tuple[str, tuple[str, ...]]:
    """Returns a hash of what networks are built of, and the groups of which they have a part.

    A network that cannot be built has all: `validate` tells the reason.
    """

    folder, config = given
    key = likeness(config, sources=sources(targets(config)), version=__version__)
    known = held(folder, key)
    if known is None:
        from . import lab

        try:
            check(config)
            known = lab.held(config)
        except (Exception, SystemExit):
            known = tuple(handed())

    return key, known


def _bare(data: Config) -> Config:
    """Returns the settings of a data set without isoexp's own: content and shape are the same."""

    if not isinstance(data, Mapping):
        return data  # which is refused when it is looked at

    return {key: value for key, value in data.items() if key not in GROUPS["data"].own}


def _fingerprint(node: Config) -> str:
    check({"data": node})
    source = build({"data": node}, "data")
    with blamed("data"):
        return source.fingerprint()
