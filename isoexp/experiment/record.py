"""The record of one network: rows, probes, figures and summary, in the folder of its run."""

__all__ = ["Record", "describe_failure"]

import os
import shutil
import socket
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from math import isfinite, isnan
from types import MappingProxyType
from typing import Any

import torch
from torch import nn

from .. import checkpoint, figures
from ..ensemble import Ensemble
from ..identity import command
from ..probes import Probe
from ..provenance import provenance
from ..records import (
    METRICS,
    Rows,
    Schema,
    append_line,
    read_lines,
    write_bytes,
    write_json,
    write_lines,
    write_table,
)
from ..runs import Run
from ..training import evaluate
from .bench import Bench


@dataclass
class Record:
    """What is written down of one network.

    Arguments:
        run: Its folder, claimed by this process.
        seed: Its seed.
        columns: What its rows begin with, the same in each.
        settings: The flat configuration.
        config: The configuration as YAML.
        facts: What else belongs into provenance.json and state.json.
        logger: The W&B settings, or those of no logger.
        probes: The settings of each probe, by its name.
        identities: The identity of what each probe measures.
        find_twin: Finds the completed run of the same study that differs by the next seed.
        draw: Whether to draw what probes measure.
    """

    run: Run
    seed: int
    columns: Mapping[str, str | int]
    settings: Mapping[str, Any]
    config: str
    facts: Mapping[str, Any]
    logger: Any
    probes: Mapping[str, Mapping[str, Any]]
    identities: Mapping[str, str]
    find_twin: Callable[[], Run | None]
    draw: bool = True
    mirror: Any = field(default=None, init=False)
    summary: dict[str, Any] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        self._probed: dict[str, dict[str, str]] = {"probes": {}, "unmeasured": {}}

    def begin(self, start: int, steps: int) -> None:
        """Marks the run as running; rows after the checkpoint it resumes at are dropped."""

        run = self.run
        attempt = run.state.get("attempt", 0) + (start == 0)

        if start == 0:
            checkpoint.discard(run.folder, all=True)
            for name in ("metrics.jsonl", "metrics.parquet", "summary.json"):
                (run.folder / name).unlink(missing_ok=True)
            shutil.rmtree(run.folder / "probes", ignore_errors=True)
        checkpoint.forget_snapshots(run.folder, after=start)
        for name in ("error.txt", "stop.json"):
            (run.folder / name).unlink(missing_ok=True)
        rows = [row for row in read_lines(run.lines) if row["step"] <= start]

        write_bytes(run.folder / "config.yaml", self.config.encode())
        write_json(run.folder / "provenance.json", provenance(**self.facts))
        run.write_state(
            "running",
            pid=os.getpid(),
            host=socket.gethostname(),
            started=time.time(),
            step=start,
            steps=steps,
            attempt=attempt,
            reason=None,
            columns=dict(self.columns),
            words=self.facts["words"],
            probes={},
            unmeasured={},
        )
        write_lines(run.lines, rows)
        self.mirror = self.logger.start(
            run.folder,
            id=f"{run.state['identity'][:16]}-{attempt}",
            name=run.folder.name,
            group=str(self.columns["study"]),
            tags=[str(self.columns[key]) for key in ("activation", "model", "data")],
            config=dict(self.settings),
        )
        for row in rows:
            self.mirror.log(row)

    def rows_until(self, step: int) -> int:
        """Returns how many rows there are of updates up to one."""

        return sum(row["step"] <= step for row in read_lines(self.run.lines))

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

    def abort(self, error: Exception) -> str:
        """Closes the run as failed by an exception, kept whole in error.txt; returns the reason.

        A run that was completed before, when the exception came, stays so.
        """

        reason = describe_failure(error)
        if self.run.status == "completed":
            self._close_mirror(summary=self.summary)
            return reason

        (self.run.folder / "error.txt").write_text(
            "".join(traceback.format_exception(error)), encoding="utf-8"
        )
        self.fail(reason)

        return reason

    def interrupt(self) -> None:
        """Closes the run as interrupted, if it is not completed; the same command goes on."""

        if self.run.status == "completed":  # while it was probed
            self._close_mirror(summary=self.summary)
            return

        self.run.write_state("interrupted", reason="interrupted")
        self._close_mirror(summary={}, failed=True)

    def summarize(self, bench: Bench, network: nn.Module, time_s: float) -> bool:
        """Computes the final numbers; returns whether they are finite. The run fails if not."""

        self.summary = {
            "train_time_s": round(time_s, 3),
            "steps": bench.steps,
            "parameters": sum(p.numel() for p in network.parameters()),
            **self._evaluate(bench, network),
        }
        if not isfinite(self.summary["test/loss"]):
            self.fail("diverged: the loss of the trained network on the test split is not finite")
            return False

        return True

    def complete(self) -> None:
        """Marks the run as completed; probes are put to it after that, and cannot undo it."""

        self._write_metrics("completed")
        write_json(self.run.folder / "summary.json", self.summary)

        # The rows go last: until the state says completed they may be needed again.
        self.run.write_state("completed", step=self.summary["steps"], ended=time.time())
        self.run.lines.unlink(missing_ok=True)
        checkpoint.discard(self.run.folder)

    def finish(self, network: nn.Module) -> None:
        """Hands the mirror what it is still to show: final numbers, weights, figures."""

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
        """Ends the mirror, if there is one that has not been ended."""

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

        state = self.run.state
        self.summary = self.run.summary
        self._probed = {key: dict(state.get(key) or {}) for key in self._probed}

    def keep(self, name: str, probe: Probe, rows: Rows, numbers: Mapping[str, float]) -> None:
        """Writes what a probe has measured: rows, their figure, and what sums them up."""

        twin = {"twin": str} if "twin" in rows else {}
        schema = {"network": str, "step": int, **twin, **probe.schema}
        own = {f"probe.{name}.{key}": value for key, value in self.probes[name].items()}
        self._forget(name)
        drawer = figures.metadata(getattr(probe, "figure", None))
        self._write(f"probes/{name}.parquet", rows, schema, "completed", own, drawer)
        self._draw(name)

        self.summary |= {
            f"probe/{name}/{key}": None if isnan(value) else value for key, value in numbers.items()
        }
        self._amend(name)

    def leave_out(self, name: str, reason: str) -> None:
        """Writes down that a probe cannot measure this network, and why.

        What it has measured before, of other settings or with another twin, stays.
        """

        if name in self._probed["probes"] and name not in self._probed["unmeasured"]:
            return
        self._probed["unmeasured"][name] = reason
        self._amend(name)

    def fail_probe(self, name: str, error: Exception) -> str:
        """Keeps the exception that ended a probe in probes/<name>.error.txt; returns the reason."""

        whole = "".join(traceback.format_exception(error))
        write_bytes(self.run.folder / "probes" / f"{name}.error.txt", whole.encode())

        return describe_failure(error)

    def _amend(self, name: str) -> None:
        """Writes down, last of all, that what a probe measured is there."""

        self._probed["probes"][name] = self.identities[name]
        write_json(self.run.folder / "summary.json", self.summary)
        self.run.write_state("completed", **self._probed)

    def _forget(self, name: str) -> None:
        """Removes what is known of a probe from before: first that there is anything.

        Its table stays until the new one takes its place.
        """

        for known in self._probed.values():
            known.pop(name, None)
        for key in [key for key in self.summary if key.startswith(f"probe/{name}/")]:
            del self.summary[key]
        self.run.write_state("completed", **self._probed)
        for path in self.run.folder.glob(f"probes/{name}.*"):
            if path.suffix != ".parquet":
                path.unlink()

    def _evaluate(self, bench: Bench, network: nn.Module) -> dict[str, float]:
        """Returns loss and score on the splits that the network was not trained on."""

        found = {}
        for split in ("valid", "test"):
            objective = bench.objective(split)
            losses, scores = evaluate(Ensemble([network]), *bench.splits[split], objective)
            found |= {f"{split}/loss": losses.item(), f"{split}/{objective.score}": scores.item()}

        return found

    def _draw(self, name: str) -> None:
        if self.draw:
            path = self.run.folder / "probes" / f"{name}.parquet"
            caption = f"{command(self.columns, self.facts['words'])} probe={name}"
            figures.draw_beside(path, caption)

    def _write_metrics(self, state: str) -> None:
        if self.run.lines.exists():
            lines = read_lines(self.run.lines)
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
        write_table(path, rows, schema, constants, {**self.settings, **own}, metadata)


def describe_failure(error: BaseException) -> str:
    """Returns an exception in one line."""

    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory: lower batch_size, seeds or model.widths"
    message = " ".join(str(error).split())

    return f"{type(error).__name__}: {message}"[:500]
