"""Training, recorded: networks of one shape trained as one, each written down as a run of its own.

Killed at any instant it loses at most the updates since the last checkpoint; started again it
goes on from there and ends with the same bits. A network that diverges fails alone.
"""

__all__ = ["check_shares", "follow", "train"]

import time
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from .. import processes
from ..ensemble import Ensemble, rates
from ..errors import Unreadable, UserError, out_of_memory
from ..store import checkpoint
from ..training import Step, evaluate
from .batching import Training, shared_alike
from .job import Advance, Ended, Event, Job, Logged
from .lab import Lab
from .probing import Trained, put_probes
from .record import Record

SAVE_EVERY_S = 1.0
SAVE_SHARE = 0.05
"""Checkpoints are a second apart at least, and cost at most this share of the time."""

BEAT_EVERY_S = 10.0
"""How often a run says that it is alive, for hosts that cannot see its process."""

ROWS_AT_LEAST = 20
"""Rows of a training; one an epoch, if there are more epochs."""


def train(records: Sequence[Record]) -> Iterator[Event]:
    """Trains the networks of records from their last common checkpoint on.

    The caller may stop listening: the training is then interrupted, and goes on from its last
    checkpoint when it is started again.
    """

    training = Training([record.lab for record in records], [record.seed for record in records])
    steps, snapshots = training.first.steps, training.first.snapshots
    start = checkpoint.common_step([record.run.folder for record in records])
    alive = dict(enumerate(records))

    every = min(training.first.per_epoch, max(1, -(-steps // ROWS_AT_LEAST)))
    written = 1 + start // every + (start == steps and steps % every > 0)
    if any(record.rows_until(start) < written or not _shown(record) for record in records):
        start = 0  # what was before the checkpoint is lost: it can only be had again

    found = [checkpoint.load(record.run.folder, start) for record in records] if start else []
    try:
        ensemble, optimizers, meter = _restored(training, found)
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        if not found or out_of_memory(error):
            raise
        start, found = 0, []  # a checkpoint of another network, which could be read for all that
        ensemble, optimizers, meter = _restored(training, found)
    processes.tell((start, every, found))
    found.clear()  # as large as the networks and their optimizers
    for record in records:
        resumed = record.begin(start, steps, len(records))
        if resumed is not None:
            yield resumed
    if not start:
        yield Logged([record.log(row) for record, row in zip(records, meter.rows(0), strict=True)])

    saved_at = beaten_at = time.monotonic()
    cost_s = 0.0
    for step in training.fit(ensemble, optimizers, start, shared=processes.size() > 1):
        meter.add(step)

        if step.index % every == 0 or step.index == steps:
            yield from _log(meter, alive, step.index, steps)
            processes.tell(bool(alive))
            if not alive:
                return

        if step.index in snapshots:
            yield from _dropped(alive)
            for k, record in alive.items():
                checkpoint.snapshot(record.run.folder, step.index, ensemble.state(k))

        since = time.monotonic() - saved_at
        if time.monotonic() - beaten_at > BEAT_EVERY_S:
            beaten_at = time.monotonic()
            yield from _dropped(alive)
            for record in alive.values():
                record.beat(step.index)
        if step.index == steps or since > max(SAVE_EVERY_S, cost_s / SAVE_SHARE):
            saved_at = time.monotonic()
            yield from _dropped(alive)
            for k, record in alive.items():
                _save(ensemble, optimizers, meter, k, record, step.index)
            cost_s = time.monotonic() - saved_at

        yield Advance(step.index, steps)

    time_s = meter.time_s
    completed = []
    for k, record in alive.items():
        try:
            if record.summarize(ensemble.member(k), time_s):
                record.complete()
                completed.append(k)
                continue
            reason = record.run.state["reason"]
        except Exception as error:  # of one network; the others are none the worse
            reason = record.abort(error)
        yield Ended(record.run, reason)

    for k in completed:  # all are there before one is probed: they are each other's twins
        record, network = alive[k], ensemble.member(k)
        trained = Trained(record.lab, record.seed, network, record.run)
        yield from put_probes(trained, record, record.lab.probes)
        if not record.gone:
            record.finish(network)
        yield Ended(record.run, record.drop() if record.gone else None)


def _restored(
    training: Training, found: Sequence[dict[str, Any]]
) -> "tuple[Ensemble, Sequence[Optimizer], _Meter]":
    """Returns networks, optimizers and meter as checkpoints left them, or as they begin."""

    ensemble = training.ensemble()
    optimizers = training.optimizers(ensemble)
    meter = _Meter(training, ensemble, optimizers)
    if found:
        training.restore(ensemble, optimizers, found)
        meter.load([content["meter"] for content in found])

    return ensemble, optimizers, meter


def _shown(record: Record) -> bool:
    """Whether the snapshots so far, if there are any, can be read."""

    try:
        checkpoint.snapshots(record.run.folder)
    except Unreadable:
        return False

    return True


def _log(meter: "_Meter", alive: dict[int, Record], step: int, steps: int) -> Iterator[Event]:
    """Writes a row of each network; those that have diverged, or are to stop, leave the living."""

    rows = meter.rows(step)
    yield from _dropped(alive)
    for k, first in meter.diverged().items():
        if k in alive:
            record = alive.pop(k)
            record.mirror.log(rows[k])  # where it went wrong; in the folder are the rows before
            reason = (
                f"diverged at update {first} of {steps}: loss or gradient is not finite; "
                "lower optimizer.lr or set clip=norm"
            )
            record.fail(reason)
            yield Ended(record.run, reason)

    if alive:
        yield Logged([record.log(rows[k]) for k, record in alive.items()])

    for k, record in list(alive.items()) if step < steps else []:
        reason = record.run.asked_to_stop
        if reason is not None:
            del alive[k]
            record.fail(reason)
            yield Ended(record.run, reason)


def _dropped(alive: dict[int, Record]) -> Iterator[Event]:
    """Yields the end of runs whose folders were removed; they leave the living."""

    for k, record in list(alive.items()):
        if record.gone:
            del alive[k]
            yield Ended(record.run, record.drop())


class _Meter:
    """Sums up updates, on the device, until a row is due."""

    def __init__(
        self, training: Training, ensemble: Ensemble, optimizers: Sequence[Optimizer]
    ) -> None:
        self.training, self.ensemble, self.optimizers = training, ensemble, optimizers
        self.spent_s, self.began = 0.0, time.monotonic()
        self.count = 0
        self.norms: Tensor | None = None
        self.penalties: Tensor | None = None
        self.losses = self.scores = torch.zeros(ensemble.size, device=ensemble.device)
        self.first_bad = torch.zeros(ensemble.size, dtype=torch.long, device=ensemble.device)

    @property
    def time_s(self) -> float:
        """The seconds of training so far, those before an interruption included."""

        return self.spent_s + time.monotonic() - self.began

    def add(self, step: Step) -> None:
        """Adds an update to the means of the next row, and looks for what is not finite."""

        self.count += 1
        self.losses = self.losses + step.losses
        self.scores = self.scores + step.scores
        self.norms = step.grad_norms
        self.penalties = step.penalties
        self._mark(~step.losses.isfinite(), step.index)

    def rows(self, step: int) -> list[dict[str, Any]]:
        """Returns a row of each network, and starts the means anew."""

        objective = self.training.objective("valid")
        score = objective.score
        losses, scores = evaluate(self.ensemble, *self.training.data("valid"), objective)
        columns = {"valid/loss": losses, f"valid/{score}": scores}
        if self.count:
            norms = self.ensemble.grad_norm() if self.norms is None else self.norms
            self._mark(~norms.isfinite(), step)
            columns |= {
                "grad_norm": norms,
                "train/loss": self.losses / self.count,
                f"train/{score}": self.scores / self.count,
            }
            if self.penalties is not None:
                columns["train/penalty"] = self.penalties
        self.count = 0
        self.losses = self.scores = torch.zeros_like(self.losses)

        shared = {
            "step": step,
            "epoch": step / self.training.first.per_epoch,
            "time_s": round(self.time_s, 4),
        }
        lr = rates(self.optimizers, self.ensemble.size) if step else [0.0] * self.ensemble.size
        values = {name: column.tolist() for name, column in columns.items()}

        return [
            shared | {"lr": lr[k]} | {name: value[k] for name, value in values.items()}
            for k in range(self.ensemble.size)
        ]

    def diverged(self) -> dict[int, int]:
        """Returns the first update that went wrong, for each network that has diverged."""

        return {k: first for k, first in enumerate(self.first_bad.tolist()) if first}

    def state(self, k: int) -> dict[str, Any]:
        """Returns what has been gathered of network k since its last row."""

        own = {"losses": self.losses[k], "scores": self.scores[k], "first_bad": self.first_bad[k]}

        return {
            "count": self.count,
            "spent_s": self.time_s,
            **{name: value.clone() for name, value in own.items()},
        }

    def load(self, states: Sequence[dict[str, Any]]) -> None:
        """Restores what had been gathered, from the K networks' states."""

        self.count = states[0]["count"]
        self.spent_s, self.began = max(s["spent_s"] for s in states), time.monotonic()
        for name in ("losses", "scores", "first_bad"):
            whole = torch.stack([state[name] for state in states])
            setattr(self, name, whole.to(self.ensemble.device))

    def _mark(self, bad: Tensor, step: int) -> None:
        self.first_bad = torch.where((self.first_bad == 0) & bad, step, self.first_bad)


def _save(
    ensemble: Ensemble,
    optimizers: Sequence[Optimizer],
    meter: _Meter,
    k: int,
    record: Record,
    step: int,
) -> None:
    content = {
        "model": ensemble.state(k),
        "optimizer": ensemble.optimizer_state(optimizers, k),
        "meter": meter.state(k),
    }
    checkpoint.save(record.run.folder, step, content)
    record.beat(step)


def follow(job: Job) -> None:
    """Takes this process's share of the training of process 0, as long as that goes on.

    Raises:
        UserError: If a part refuses its settings, or the training cannot be shared.
    """

    if processes.hear():  # there is something to be done
        lab = job.lab()
        check_shares(lab)
        task = processes.hear()
        if task is not None:
            _share(lab, *task)


def _share(lab: Lab, start: int, every: int, found: list[dict[str, dict]]) -> None:
    """Trains along; at each row process 0 says whether to go on."""

    training = Training([lab], lab.settings.members)
    ensemble = training.ensemble()
    optimizers = training.optimizers(ensemble)
    if found:
        training.restore(ensemble, optimizers, found)

    for step in training.fit(ensemble, optimizers, start, shared=True):
        if (step.index % every == 0 or step.index == lab.steps) and not processes.hear():
            return


def check_shares(lab: Lab) -> None:
    """Checks that shares of its batches train a network as whole ones do; all processes do so.

    Raises:
        UserError: If they do not.
    """

    count, size = processes.size(), lab.settings.batch_size
    seed, *others = lab.settings.members
    if others:
        raise UserError(
            f"torchrun trains one network on all its processes, got {1 + len(others)} seeds"
        )

    samples = len(lab.splits["train"][0])
    least = samples % size or size
    if least < count:
        raise UserError(
            f"batch_size must leave each of {count} processes a sample, got {size}: the last batch "
            f"of {samples} samples has {least}"
        )

    if not shared_alike(lab, seed):
        raise UserError(
            "model: on shares of a batch it is trained otherwise than on whole ones, as with "
            "torch.nn.Dropout, or torch.nn.BatchNorm; use dropout= and norm=, or one process"
        )
