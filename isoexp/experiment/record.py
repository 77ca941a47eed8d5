"""The record of one network: rows, probes, figures and summary, in the folder of its run."""

__all__ = ["Record", "describe_failure"]

import os
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import torch
from torch import nn

from .. import checkpoint, figures
from ..ensemble import Ensemble
from ..probes import Subject
from ..provenance import provenance
from ..records import (
    METRICS,
    Rows,
    append_line,
    read_lines,
    write_bytes,
    write_json,
    write_lines,
    write_table,
)
from ..runs import Run
from ..streams import stream
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
    """

    run: Run
    seed: int
    columns: Mapping[str, str | int]
    settings: Mapping[str, Any]
    config: str
    facts: Mapping[str, Any]
    logger: Any
    mirror: Any = field(default=None, init=False)

    def begin(self, start: int, steps: int) -> None:
        """Marks the run as running; rows after the checkpoint it resumes at are dropped."""

        run = self.run
        attempt = run.state.get("attempt", 0) + (start == 0)

        if start == 0:
            checkpoint.discard(run.folder, all=True)
            for name in ("metrics.jsonl", "metrics.parquet", "summary.json"):
                (run.folder / name).unlink(missing_ok=True)
        (run.folder / "error.txt").unlink(missing_ok=True)
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

        self._write_metrics()
        self.run.write_state("failed", reason=reason)
        if self.mirror is not None:
            self.mirror.finish(summary={"reason": reason}, histograms={}, figures={}, failed=True)

    def interrupt(self) -> None:
        """Closes the run as interrupted; the same command goes on with it."""

        self.run.write_state("interrupted", reason="interrupted")
        if self.mirror is not None:
            self.mirror.finish(summary={}, histograms={}, figures={}, failed=True)

    def finish(self, bench: Bench, network: nn.Module, time_s: float) -> None:
        """Probes the trained network and the untrained one, and closes the run as completed."""

        folder = self.run.folder
        summary: dict[str, Any] = {"train_time_s": round(time_s, 3), "steps": bench.steps}
        summary["parameters"] = sum(p.numel() for p in network.parameters())
        for split in ("valid", "test"):
            x, y = bench.splits[split]
            losses, scores = evaluate(Ensemble([network]), x, y, bench.objective)
            summary[f"{split}/loss"] = losses.item()
            summary[f"{split}/{bench.objective.score}"] = scores.item()

        if not isfinite(summary["test/loss"]):
            self.fail("diverged: the loss of the trained network on the test split is not finite")
            return

        drawn = {}
        for name, probe in bench.probes.items():
            rows: Rows = {"network": []}
            for which, subject in (("untrained", bench.network(self.seed)), ("trained", network)):
                found = probe(
                    Subject(
                        subject.eval(),
                        *bench.splits["test"],
                        bench.objective,
                        stream(self.seed, "probe", name),
                    )
                )
                rows["network"] += [which] * len(next(iter(found.values())))
                for column, values in found.items():
                    rows.setdefault(column, []).extend(values)
                if which == "trained":
                    numbers = probe.summary(found).items()
                    summary |= {f"probe/{name}/{key}": value for key, value in numbers}

            self._write(f"probes/{name}.parquet", rows, {"network": str, **probe.schema})
            drawn[f"probe/{name}"] = folder / "probes" / f"{name}.png"
            self._draw(name)

        self._write_metrics()
        write_json(folder / "summary.json", summary)
        self.mirror.finish(
            summary=summary,
            histograms={
                f"weights/{name}": p.detach().float().cpu().numpy()
                for name, p in network.named_parameters()
            },
            figures={key: path for key, path in drawn.items() if path.exists()},
            failed=False,
        )
        self.run.write_state("completed", step=bench.steps, ended=time.time())
        self.run.lines.unlink(missing_ok=True)
        checkpoint.discard(folder)

    def _draw(self, name: str) -> None:
        import pandas as pd

        path = self.run.folder / "probes" / f"{name}.parquet"
        draw = figures.FIGURES.get(name)
        if draw is not None and len(table := pd.read_parquet(path)):
            figures.save(draw, table, path.with_suffix(".png"))

    def _write_metrics(self) -> None:
        lines = read_lines(self.run.lines)
        self._write("metrics.parquet", {k: [row.get(k) for row in lines] for k in METRICS}, METRICS)

    def _write(self, name: str, rows: Rows, schema: dict[str, type]) -> None:
        write_table(self.run.folder / name, rows, schema, self.columns, self.settings)


def describe_failure(error: BaseException) -> str:
    """Returns an exception in one line."""

    if isinstance(error, torch.OutOfMemoryError):
        return "out of memory: lower batch_size, seeds or model.widths"
    message = " ".join(str(error).split())

    return f"{type(error).__name__}: {message}"[:500]
