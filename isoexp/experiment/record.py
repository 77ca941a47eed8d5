"""The record of one network: rows, probes, figures and summary, in the folder of its run."""

__all__ = ["Record"]

import os
import socket
import time
import traceback
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from math import isfinite
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from .. import figures, processes
from ..config.document import to_yaml
from ..ensemble import Ensemble
from ..errors import failure, one_line
from ..probes import Probe
from ..samples import whole
from ..store import checkpoint
from ..store.files import append_line, clear, remove, write_bytes, write_json, write_lines
from ..store.history import add_start, changes
from ..store.identity import columns, command, flat, telling
from ..store.provenance import provenance
from ..store.run import MADE, MORE, Run
from ..store.study import find
from ..store.tables import ITEMS, METRICS, Rows, Schema, write_table
from ..training import evaluate, evaluated
from .columns import of_probe
from .job import Job, Resumed, completed
from .lab import Lab

CONDITIONS = ("device", "device_name", "threads", "processes")
"""The facts that are kept of every start."""


@dataclass(eq=False)
class Record:
    """All that is written down of one network, in a folder held by this process."""

    job: Job
    lab: Lab
    run: Run
    seed: int
    mirror: Any = field(default=None, init=False)
    summary: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._probed: dict[str, dict[str, str]] = {"probes": {}, "unmeasured": {}}
        self.columns = columns(self.job.choices, self.job.settings.name, self.identity, self.seed)
        self.telling = telling(self.job.choices, self.job.overrides)

    @property
    def identity(self) -> str:
        """The identity of the run."""

        return self.job.identities[self.seed]

    def begin(self, start: int, steps: int, mates: int = 1) -> Resumed | None:
        """Marks the run as running; rows after the checkpoint it resumes at are dropped.

        Arguments:
            start: The update that it resumes at; 0 to begin anew.
            steps: The number of updates of the whole training.
            mates: The number of networks trained as one.

        Returns:
            The conditions that have changed since the last start, if last bits may depend on them.
        """

        run = self.run
        attempt = run.state.get("attempt", 0) + (start == 0)
        self._clear()

        if start == 0:
            checkpoint.discard(run.folder, all=True)
            for name in (*MADE, *MORE, "metrics.jsonl", "probes"):
                remove(run.folder / name)
        checkpoint.forget_snapshots(run.folder, after=start)
        for name in ("error.txt", "stop.json"):
            remove(run.folder / name)
        rows = [row for row in run.rows if row["step"] <= start]

        write_bytes(run.folder / "config.yaml", to_yaml(self._config).encode())
        if start == 0 or not (run.folder / "provenance.json").exists():
            write_json(run.folder / "provenance.json", provenance(**self._facts))
        known = {key: self._facts[key] for key in CONDITIONS}
        add_start(run, step=start, networks=mates, mates=run.state.get("together"), **known)
        run.write_state(
            "running",
            pid=os.getpid(),
            host=socket.gethostname(),
            started=time.time(),
            step=start,
            steps=steps,
            attempt=attempt,
            reason=None,
            columns=self.columns,
            words=self.telling,
            probes={},
            unmeasured={},
        )
        write_lines(run.lines, rows)
        self.mirror = self.lab.logger.start(
            run.folder,
            id=f"{self.identity[:16]}-{attempt}",
            name=run.folder.name,
            group=str(self.columns["study"]),
            tags=[str(self.columns[key]) for key in ("activation", "model", "data")],
            config=flat(self.job.config, self.seed),
        )
        for row in rows:
            self.mirror.log(row)
        changed = changes(run.folder)

        return Resumed(run, changed) if changed else None

    @property
    def _config(self) -> dict[str, Any]:
        config = self.job.config
        alone = {key: node for key, node in config.items() if key not in ("sweep", "search")}

        return {**alone, "seed": self.seed, "seeds": None}

    @property
    def _facts(self) -> dict[str, Any]:
        device = self.lab.device
        cuda = device.type == "cuda"

        return {
            "identity": self.identity,
            "data": self.job.fingerprint,
            "resampled": self.lab.dataset.resampled,
            "plan": self.job.plan,
            "words": self.telling,
            "seed": self.seed,
            "seeds": list(self.job.settings.members),
            "device": str(device),
            "device_name": torch.cuda.get_device_name(device) if cuda else None,
            "threads": torch.get_num_threads(),
            "processes": processes.size(),
        }

    def find_twin(self) -> Run | None:
        """Finds the completed run of the same study that differs by the next seed."""

        twin = find(self.job.settings.study, self.job.identity(self.seed + 1))

        return twin if completed(twin) else None

    def rows_until(self, step: int) -> int:
        """Returns the number of rows of updates up to one."""

        return sum(row["step"] <= step for row in self.run.rows)

    def log(self, row: dict[str, Any]) -> dict[str, Any]:
        """Writes a row, and returns it."""

        append_line(self.run.lines, row)
        self.mirror.log(row)

        return row

    def beat(self, step: int) -> None:
        """Says that the run is alive, and how far it is."""

        self.run.write_state("running", step=step)

    def fail(self, reason: str) -> None:
        """Closes the run as failed; what it has measured so far stays."""

        self.run.write_state("failed", reason=reason)
        self._write_metrics("failed")
        self._close_mirror(summary={"reason": reason}, failed=True)

    def abort(self, error: BaseException) -> str:
        """Closes the run as failed, unless it was completed; keeps the exception in error.txt."""

        reason = failure(error)
        if self.run.status == "completed":
            self._close_mirror(summary=self.summary)
            return reason
        if self.gone:
            return self.drop()

        whole = "".join(traceback.format_exception(error))
        try:
            self.run.write_state("failed", reason=reason)
            write_bytes(self.run.folder / "error.txt", whole.encode())
            self._write_metrics("failed")
        except OSError as second:  # a full disk: the first is what counts
            reason = f"{reason}; it cannot be written down: {one_line(second)}"
        self._close_mirror(summary={"reason": reason}, failed=True)

        return reason

    @property
    def gone(self) -> bool:
        """Whether the folder of the run was removed since it began."""

        return not self.run.folder.is_dir()

    def drop(self) -> str:
        """Lets a run go whose folder was removed; returns the reason."""

        reason = "its folder was removed while it was at work; the same command begins anew"
        self._close_mirror(summary={"reason": reason}, failed=True)
        if not self.run.state:  # a tracker may have made it again
            remove(self.run.folder)

        return reason

    def interrupt(self) -> None:
        """Closes the run as interrupted, if it is not completed; the same command goes on."""

        if self.run.status == "completed":  # while it was probed
            self._close_mirror(summary=self.summary)
            return

        with suppress(OSError):  # it can be told without: its process has gone
            self.run.write_state("interrupted", reason="interrupted")
        self._close_mirror(summary={}, failed=True)

    def summarize(self, network: nn.Module, time_s: float) -> bool:
        """Computes the final numbers; returns whether they are finite. The run fails if not."""

        self.summary = {
            "train_time_s": round(time_s, 3),
            "steps": self.lab.steps,
            "parameters": sum(p.numel() for p in network.parameters()),
            **self._evaluate(network),
        }
        if not isfinite(self.summary["test/loss"]):
            self.fail("diverged: the loss of the trained network on the test split is not finite")
            return False
        if self.job.items:
            self._write_items(network)

        return True

    def complete(self) -> None:
        """Marks the run as completed; probes are put to it after that, and cannot undo it."""

        self._write_metrics("completed")
        write_json(self.run.folder / "summary.json", self.summary)

        # The rows go last: until the state says completed they may be needed again.
        done = {"step": self.summary["steps"], "ended": time.time()}
        self.run.write_state("completed", **done, files=self.run.stamps(*MADE, *MORE))
        self.run.lines.unlink(missing_ok=True)
        checkpoint.discard(self.run.folder)

    def finish(self, network: nn.Module) -> None:
        """Hands the mirror the final numbers, weights and figures."""

        figures = {f"probe/{p.stem}": p for p in self.run.folder.glob("probes/*.png")}
        weights = {
            f"weights/{name}": p.detach().float().cpu().numpy()
            for name, p in network.named_parameters()
        }
        self._close_mirror(self.summary, weights, figures)

    def _close_mirror(
        self,
        summary: Mapping[str, Any],
        histograms: Mapping[str, Any] = MappingProxyType({}),
        figures: Mapping[str, Any] = MappingProxyType({}),
        failed: bool = False,
    ) -> None:
        mirror, self.mirror = self.mirror, None
        if mirror is not None:
            mirror.finish(
                summary=dict(summary),
                histograms=dict(histograms),
                figures=dict(figures),
                failed=failed,
            )

    def reopen(self) -> None:
        """Goes on with a completed run, to which further probes are put."""

        self._clear()
        state = self.run.state
        self.summary = self.run.summary
        self._probed = {key: dict(state.get(key) or {}) for key in self._probed}

    def add_items(self, network: nn.Module) -> None:
        """Writes the outcomes of test samples of a completed run that lacks them."""

        self._write_items(network)
        files = {**self._files, **self.run.stamps("items.parquet")}
        self.run.write_state("completed", files=files)

    def keep(self, name: str, probe: Probe, rows: Rows, numbers: Mapping[str, float]) -> str | None:
        """Writes the rows that a probe has measured, their figure, and their summary.

        Returns:
            Why the figure could not be drawn, if it could not.
        """

        own = {
            f"probe.{name}.{key}": value for key, value in self.job.config["probe"][name].items()
        }
        self._forget(name)
        drawer = figures.metadata(getattr(probe, "figure", None))
        self._write(f"probes/{name}.parquet", rows, of_probe(probe), "completed", own, drawer)
        undrawn = self._draw(name)

        self.summary |= {f"probe/{name}/{key}": value for key, value in numbers.items()}
        self._amend(name)

        return undrawn

    def leave_out(self, name: str, reason: str) -> None:
        """Writes down why a probe cannot measure this network.

        Its rows of other settings or with another twin stay.
        """

        if name in self._probed["probes"] and name not in self._probed["unmeasured"]:
            return
        self._probed["unmeasured"][name] = reason
        self._amend(name)

    def fail_probe(self, name: str, error: Exception) -> str:
        """Keeps the exception that ended a probe in probes/<name>.error.txt; returns the reason."""

        whole = "".join(traceback.format_exception(error))
        path, reason = self.run.folder / "probes" / f"{name}.error.txt", failure(error)
        try:
            path.parent.mkdir(exist_ok=True)
            write_bytes(path, whole.encode())
        except OSError as second:
            return f"{reason}; it cannot be written down: {one_line(second)}"

        return reason

    def _clear(self) -> None:
        """Removes what an earlier start has left beside its files, when it was killed."""

        clear(self.run.folder)
        clear(self.run.folder / "probes")

    def _amend(self, name: str) -> None:
        """Writes down, last of all, that the rows of a probe are there."""

        self._probed["probes"][name] = self.job.probes[name]
        write_json(self.run.folder / "summary.json", self.summary)
        files = self.run.stamps("summary.json", f"probes/{name}.parquet")
        self.run.write_state("completed", **self._probed, files={**self._files, **files})

    @property
    def _files(self) -> dict[str, Any]:
        """The stamps of the files that state.json tells of."""

        known = self.run.state.get("files")

        return self.run.stamps(*MADE) if known is None else known

    def _forget(self, name: str) -> None:
        """Removes the mark and the numbers of a probe; its table stays until it is replaced."""

        for known in self._probed.values():
            known.pop(name, None)
        for key in [key for key in self.summary if key.startswith(f"probe/{name}/")]:
            del self.summary[key]
        # Of what is about to be written no stamp is left that a kill could make a lie.
        files = {**self._files, "summary.json": (None, None)}
        files.pop(f"probes/{name}.parquet", None)
        self.run.write_state("completed", **self._probed, files=files)
        for path in self.run.folder.glob(f"probes/{name}.*"):
            if path.suffix != ".parquet":
                path.unlink()

    def _evaluate(self, network: nn.Module) -> dict[str, float]:
        """Returns loss and score on the splits that the network was not trained on."""

        found, lab = {}, self.lab.at(self.seed)
        for split in ("valid", "test"):
            objective = lab.objective(split)
            losses, scores = evaluate(Ensemble([network]), *lab.splits[split], objective)
            found |= {f"{split}/loss": losses.item(), f"{split}/{objective.score}": scores.item()}

        return found

    def _write_items(self, network: nn.Module) -> None:
        """Writes loss, score and answer of each test sample."""

        lab = self.lab.at(self.seed)
        (x, y), objective = lab.splits["test"], lab.objective("test")
        found = list(evaluated(Ensemble([network]), x, y, objective))
        losses, scores = (torch.cat([each[i][0] for each in found]) for i in (1, 2))
        rows: Rows = {"item": lab.dataset.items.tolist()}
        rows |= {"loss": losses.tolist(), "score": scores.tolist()}
        targets = whole(y)
        if targets.ndim == 1 and not targets.is_floating_point():
            rows["label"] = targets.tolist()
            if objective.score == "accuracy":
                rows["predicted"] = torch.cat(
                    [each.outputs[0].argmax(-1) for each in found]
                ).tolist()
        self._write("items.parquet", rows, ITEMS, "completed")

    def _draw(self, name: str) -> str | None:
        if self.job.settings.figures is False:
            return None
        path = self.run.folder / "probes" / f"{name}.parquet"

        return figures.draw_beside(path, f"{command(self.columns, self.telling)} probe={name}")

    def _write_metrics(self, state: str) -> None:
        if self.run.lines.exists():
            lines = self.run.rows
            rows: Rows = {name: [row.get(name) for row in lines] for name in METRICS}
            self._write("metrics.parquet", rows, METRICS, state)

    def _write(
        self,
        name: str,
        rows: Rows,
        schema: Schema,
        state: str,
        own: Mapping[str, Any] = MappingProxyType({}),
        metadata: Mapping[bytes, bytes] = MappingProxyType({}),
    ) -> None:
        path, constants = self.run.folder / name, {**self.columns, "state": state}
        config = {**flat(self.job.config, self.seed), **own}
        path.parent.mkdir(exist_ok=True)
        write_table(path, rows, schema, constants, config, metadata)
