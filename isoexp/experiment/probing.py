"""Probing: what probes measure of a trained network, written into the folder of its run.

A probe is put to the network as it was untrained, at snapshots, and trained, as far as it asks for
them; each time it draws the same random numbers. One that fails, or cannot measure this network,
stops no other.
"""

__all__ = ["ProbeFailed", "Probed", "Trained", "TwinTraining", "Unmeasured", "put_probes"]

from collections.abc import Callable, Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property, partial

from torch import Generator, nn

from ..ensemble import Ensemble
from ..probes import Probe, Subject, Unsuitable
from ..store import checkpoint
from ..store.run import Run
from ..store.tables import Rows
from ..streams import stream
from ..training import batches, fit
from .bench import Bench
from .record import Record
from .untrained import Untrained


@dataclass(frozen=True)
class Probed:
    """A probe has measured; its rows and figure are written."""

    run: Run
    name: str
    rows: int
    numbers: dict[str, float]


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


Event = Probed | Unmeasured | ProbeFailed | TwinTraining


@dataclass(frozen=True)
class Trained:
    """A trained network, and the bench that it was trained on.

    Arguments:
        bench: The objects of its configuration.
        seed: Its seed.
        network: The network.
        run: Its folder, where there is one.
    """

    bench: Bench
    seed: int
    network: nn.Module
    run: Run | None = None

    @classmethod
    def stored(cls, bench: Bench, seed: int, run: Run) -> "Trained":
        """Returns the network of a completed run."""

        network = bench.network(seed)
        Ensemble([network]).load(0, checkpoint.final(run.folder))

        return cls(bench, seed, network, run)

    @classmethod
    def anew(cls, bench: Bench, seed: int) -> "Trained":
        """Trains the network of a seed, and writes nothing down."""

        ensemble = bench.ensemble([seed])
        (network,) = _trained(bench, ensemble, [seed], 0, bench.steps, bench.schedule)

        return cls(bench, seed, network)

    @cached_property
    def untrained(self) -> Untrained:
        """The network as it was before its first update."""

        return Untrained.of(self.bench, self.seed)

    def stages(self, over: str) -> Iterator[tuple[str, int, nn.Module]]:
        """Yields what a network is called, the number of its updates, and the network.

        Arguments:
            over: The networks that a probe asks for, as Probe.over.
        """

        if over != "trained":
            yield "untrained", 0, self.bench.network(self.seed)
        if over == "training" and self.run is not None:
            for step, state in checkpoint.snapshots(self.run.folder).items():
                network = self.bench.network(self.seed)
                Ensemble([network]).load(0, state)
                yield "snapshot", step, network
        yield "trained", self.bench.steps, self.network

    def subject(
        self, network: nn.Module, generator: Generator, twin: Subject | None = None
    ) -> Subject:
        """Returns a network of this bench as probes are given it."""

        bench = self.bench

        return Subject(
            network.eval(),
            *bench.splits["test"],
            bench.objective("test"),
            generator,
            name=self.run.folder.name if self.run else f"seed {self.seed}",
            train=bench.splits["train"],
            factors=bench.factors,
            twin=twin,
            refit=self.refit,
        )

    def refit(self, networks: Sequence[nn.Module], steps: int, rate: float) -> list[nn.Module]:
        """Returns copies of networks trained on as one, on the batches that would have come next.

        Arguments:
            networks: The networks.
            steps: The number of updates.
            rate: The share of the configured learning rate, the same at all of them.
        """

        ensemble = self.bench.as_one([deepcopy(network) for network in networks])
        seeds = [self.seed] * len(networks)

        return _trained(self.bench, ensemble, seeds, self.bench.steps, steps, lambda i, n: rate)


def put_probes(
    trained: Trained, record: Record, names: Iterable[str], twin: Trained | None = None
) -> Iterator[Event]:
    """Puts probes to a trained network, and keeps what they measure in its record.

    Arguments:
        trained: The network.
        record: The record of its run.
        names: The names of the probes.
        twin: What it is compared with by those that compare: unless given, the network of the next
            seed, from its run in the same study, or trained for this.
    """

    for name in names:
        probe = trained.bench.probes[name]
        try:
            if twin is None and "twin" in getattr(probe, "needs", ()):
                seed = trained.seed + 1
                run = record.find_twin()
                if run is None:
                    yield TwinTraining(record.run, seed)
                    twin = Trained.anew(trained.bench, seed)
                else:
                    twin = Trained.stored(trained.bench, seed, run)
            yield _put(probe, name, trained, record, twin)
        except Unsuitable as reason:
            record.leave_out(name, str(reason))
            yield Unmeasured(record.run, name, str(reason))
        except Exception as error:  # of one probe; the others are none the worse
            yield ProbeFailed(record.run, name, record.fail_probe(name, error))


def _put(probe: Probe, name: str, trained: Trained, record: Record, twin: Trained | None) -> Probed:
    """Puts one probe to each network that it asks for."""

    rows: Rows = {"network": [], "step": []}
    against = twin if "twin" in getattr(probe, "needs", ()) else None
    if against is not None:
        rows["twin"] = []
    found: Rows = {}
    for which, step, model in trained.stages(getattr(probe, "over", "ends")):
        other = None
        if against is not None:
            untrained = which == "untrained"
            network = against.bench.network(against.seed) if untrained else against.network
            other = against.subject(network, stream(against.seed, "probe", name))
        noise = stream(trained.seed, "probe", name)
        subject = partial(trained.subject, model, noise, other)
        if which == "untrained" and other is None:
            found = trained.untrained.measured(name, probe, subject)
        else:
            found = probe(subject())

        length = len(next(iter(found.values()), []))
        rows["network"] += [which] * length
        rows["step"] += [step] * length
        if other is not None:
            rows["twin"] += [other.name] * length
        for column, values in found.items():
            rows.setdefault(column, []).extend(values)

    numbers = probe.summary(found)
    record.keep(name, probe, rows, numbers)

    return Probed(record.run, name, len(rows["step"]), numbers)


def _trained(
    bench: Bench,
    ensemble: Ensemble,
    seeds: Sequence[int],
    start: int,
    steps: int,
    schedule: Callable[[int, int], float],
) -> list[nn.Module]:
    """Trains networks on from an update, and returns them."""

    data, size = bench.splits["train"], bench.settings.batch_size
    for _ in fit(
        ensemble,
        batches(*data, seeds, size, start + steps, start),
        ensemble.optimizers(bench.build_optimizer),
        bench.objective("train"),
        schedule,
        bench.clip,
        start + steps,
        start,
        seeds,
        bench.regularizer,
    ):
        pass

    return [ensemble.member(k) for k in range(ensemble.size)]
