"""Probing: what probes measure of a trained network, written into the folder of its run.

A probe is put to the network as it was untrained, at snapshots, and trained, as far as it asks for
them; each time it draws the same random numbers. A probe that fails, or cannot measure this
network, stops no other. Runs that were finished long ago are read back from their folders.
"""

__all__ = ["Trained", "probe_stored", "put_probes", "stored"]

from collections.abc import Generator, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, partial
from typing import Any

from torch import Generator as Randomness
from torch import Tensor, nn

from ..config.build import check
from ..config.composition import Composition
from ..config.document import parse
from ..config.groups import handed
from ..ensemble import Ensemble
from ..errors import Unreadable, UserError, one_line
from ..probes import Probe, Subject, Unsuitable
from ..probes.rows import check_rows
from ..samples import whole
from ..store import checkpoint
from ..store.files import read_file
from ..store.lock import condemn, hold
from ..store.run import Run
from ..store.tables import Rows
from ..streams import stream
from .batching import Training
from .job import Damaged, Event, Job, Probed, ProbeFailed, TwinTraining, Unmeasured, prepare
from .lab import Lab
from .record import Record
from .run import put_again
from .untrained import Untrained


@dataclass(frozen=True)
class Trained:
    """A trained network, the lab of its seed, and its folder if there is one."""

    lab: Lab
    seed: int
    network: nn.Module
    run: Run | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "lab", self.lab.at(self.seed))

    @classmethod
    def stored(cls, lab: Lab, seed: int, run: Run) -> "Trained":
        """Returns the job of a completed run, with other probes, device or force.

        Raises:
            UserError: If the run is not completed, or its data have changed.
        """

        network = lab.network(seed)
        Ensemble([network]).load(0, checkpoint.final(run.folder))

        return cls(lab, seed, network, run)

    @classmethod
    def anew(cls, lab: Lab, seed: int) -> "Trained":
        """Trains the network of a seed, and writes nothing down."""

        training = Training([lab], [seed])
        ensemble = training.ensemble()
        (network,) = _fitted(ensemble, training.fit(ensemble))

        return cls(lab, seed, network)

    @cached_property
    def untrained(self) -> Untrained:
        """The network as it was before its first update."""

        return Untrained.of(self.lab, self.seed)

    def stages(self, over: str) -> Iterator[tuple[str, int, nn.Module]]:
        """Yields the networks that a probe asks for: name, number of updates, network."""

        if over != "trained":
            yield "untrained", 0, self.lab.network(self.seed)
        if over == "training" and self.run is not None:
            for step, state in checkpoint.snapshots(self.run.folder).items():
                network = self.lab.network(self.seed)
                Ensemble([network]).load(0, state)
                yield "snapshot", step, network
        yield "trained", self.lab.steps, self.network

    def subject(
        self,
        network: nn.Module,
        generator: Randomness,
        twin: Subject | None = None,
        tested: int | None = None,
    ) -> Subject:
        """Returns a network of this lab as probes are given it.

        Arguments:
            tested: The seed whose test split it is given; its own unless given.
        """

        lab = self.lab if tested is None else self.lab.at(tested)
        x, y = lab.splits["test"]

        return Subject(
            network.eval(),
            whole(x),
            whole(y),
            lab.objective("test"),
            generator,
            name=self.run.folder.name if self.run else f"seed {self.seed}",
            train=self._train,
            factors=lab.factors,
            twin=twin,
            refit=self.refit,
        )

    @cached_property
    def _train(self) -> tuple[Tensor, Tensor]:
        x, y = self.lab.splits["train"]

        return whole(x), whole(y)

    def refit(self, networks: Sequence[nn.Module], steps: int, rate: float) -> list[nn.Module]:
        """Returns copies of networks, trained on as one on the batches that would have come next.

        Arguments:
            steps: The number of updates.
            rate: The share of the configured learning rate, the same at all of them.
        """

        ensemble = self.lab.as_one([deepcopy(network) for network in networks])
        start, k = self.lab.steps, len(networks)
        training = Training([self.lab] * k, [self.seed] * k)
        updates = training.fit(ensemble, None, start, start + steps, lambda i, n: rate)

        return _fitted(ensemble, updates)


def put_probes(
    trained: Trained, record: Record, names: Iterable[str], twin: Trained | None = None
) -> Iterator[Event]:
    """Puts probes to a trained network, and keeps their rows in its record.

    Arguments:
        twin: The network to compare with; unless given, that of the next seed, from its run in the
            same study or trained for this.
    """

    for name in names:
        if record.gone:
            return
        probe = trained.lab.probes[name]
        try:
            if twin is None and "twin" in getattr(probe, "needs", ()):
                seed = trained.seed + 1
                if run := record.find_twin():
                    try:
                        twin = Trained.stored(trained.lab, seed, run)
                    except Unreadable as error:
                        yield Damaged(run, str(error))
                        condemn(run, str(error))
                if twin is None:
                    yield TwinTraining(record.run, seed)
                    twin = Trained.anew(trained.lab, seed)
            yield _put(probe, name, trained, record, twin)
        except Unsuitable as reason:
            record.leave_out(name, str(reason))
            yield Unmeasured(record.run, name, str(reason))
        except Exception as error:  # of one probe; the others are none the worse
            yield ProbeFailed(record.run, name, record.fail_probe(name, error))


def _put(probe: Probe, name: str, trained: Trained, record: Record, twin: Trained | None) -> Probed:
    """Puts one probe to each network that it asks for.

    A twin that was trained on splits of its own is given the subject's test samples, as the
    subject sees them: the two are compared on the same ones, some of which it was trained on.
    """

    rows: Rows = {"network": [], "step": []}
    against = twin if "twin" in getattr(probe, "needs", ()) else None
    if against is not None:
        rows["twin"] = []
    found: Rows = {}
    for which, step, model in trained.stages(getattr(probe, "over", "ends")):
        other = None
        if against is not None:
            untrained = which == "untrained"
            network = against.lab.network(against.seed) if untrained else against.network
            noise = stream(against.seed, "probe", name)
            other = against.subject(network, noise, tested=trained.seed)
        noise = stream(trained.seed, "probe", name)
        subject = partial(trained.subject, model, noise, other)
        if which == "untrained" and other is None:
            found = trained.untrained.measured(name, probe, subject)
        else:
            found = probe(subject())
        check_rows(found, probe.schema)

        length = len(next(iter(found.values()), []))
        rows["network"] += [which] * length
        rows["step"] += [step] * length
        if other is not None:
            rows["twin"] += [other.name] * length
        for column, values in found.items():
            rows.setdefault(column, []).extend(values)

    numbers = probe.summary(found)
    undrawn = record.keep(name, probe, rows, numbers)

    return Probed(record.run, name, len(rows["step"]), numbers, undrawn)


def _fitted(ensemble: Ensemble, updates: Iterable[Any]) -> list[nn.Module]:
    for _ in updates:
        pass

    return [ensemble.member(k) for k in range(ensemble.size)]


def stored(run: Run, **changes: Any) -> Job:
    """Returns the job of a completed run, with other probes, device or force.

    Raises:
        UserError: If the run is not completed, or its data have changed.
    """

    state = run.state
    reason = run.fault("config.yaml".__eq__)  # weights are looked at when they are read
    if reason is not None:
        raise Unreadable(f"{run.folder}: {reason}; train again")
    if state.get("state") != "completed":
        raise UserError(f"{run.folder} must be completed to be probed; it is {run.status}")

    try:
        config = parse(read_file(run.folder / "config.yaml").decode())
        # Older ones repeat in their model what it is handed.
        config["model"] = {k: v for k, v in config["model"].items() if k not in handed()}
    except (OSError, ValueError, KeyError, AttributeError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)[:200]
        told = f"config.yaml must say how the run was trained: {reason}; train again"
        condemn(run, told)
        raise Unreadable(f"{run.folder}/{told}") from error
    config = {
        **config,
        "snapshots": config.get("snapshots", 0),  # which older ones lack
        "logger": {"_target_": "isoexp.store.tracking.NoLogger"},
        "figures": None,  # whatever was wanted while it was trained
        **changes,
    }

    columns = state.get("columns") or {}
    choices = {group: columns[group] for group in columns if group in config}
    job = prepare(Composition(config, choices, tuple(state.get("words") or ())))

    data = run.provenance.get("data")
    if data not in (None, job.fingerprint):
        raise UserError(f"{run.folder}: the data are not those that it was trained on")

    # A folder may have been moved, and versions have changed: it is the run that it says it is.
    where = run.folder.absolute().parent
    settings = replace(job.settings, out=str(where.parent), name=where.name)
    (seed,) = job.settings.members

    return replace(job, settings=settings, identities={seed: str(state["identity"])})


def probe_stored(
    job: Job, run: Run, twin: tuple[Job, Run] | None = None
) -> Generator[Event, None, None]:
    """Puts the probes of a stored job to its network: the missing ones, or all if forced.

    Arguments:
        twin: Another job and its folder, to compare with instead of the next seed.

    Raises:
        Busy: If another process works on the run.
        UserError: If it is not completed any more.
    """

    check(job.config)
    lab = job.lab()
    (seed,) = job.identities

    other = None
    if twin is not None:
        others, folder = twin
        ((twin_seed, identity),) = others.identities.items()
        other = Trained.stored(others.lab(), twin_seed, folder)
        compared = {
            name: f"{each}-{identity[:8]}"
            for name, each in job.probes.items()
            if "twin" in getattr(lab.probes[name], "needs", ())
        }
        job = replace(job, probes={**job.probes, **compared})

    with hold(run):
        record = Record(job, lab, run, seed)
        state = run.state  # which may have changed since it was looked at
        if state.get("state") != "completed":
            raise UserError(f"{run.folder} is not completed any more: it is {run.status}")
        record.columns = state.get("columns") or record.columns
        known = {} if job.settings.force else state.get("probes") or {}
        names = [name for name, each in job.probes.items() if known.get(name) != each]
        yield from put_again(record, names, other)
