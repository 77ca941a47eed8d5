"""The mirror of a run on Weights & Biases; the run's own files remain the source of truth.

W&B's server neither stops a training nor slows it: a run waits for it at most timeout_s at the
start and once more at the end. A failure is reported in a line.
"""

__all__ = ["Mirror", "NoLogger", "WandB"]

import os
import re
import shutil
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path
from typing import Any, Literal

import numpy as np

from ..errors import UserError, one_line
from ..output import say

LONGEST_TAG = 64

LONGEST = 128
"""The characters that names on W&B have, at most."""

OWNER = re.compile(r"[\w.-]+")
"""The name of a user or a team."""

PAUSE_S = 600.0
"""The time for which this process sends the server no new run after a failure."""

_paused_until = 0.0
_open: set["Mirror"] = set()


class Mirror:
    """One run on W&B.

    Arguments:
        run: The run of wandb.init; None to mirror nothing.
    """

    def __init__(self, run: Any = None):
        self.run: Any = run
        self.step = 0
        self.whole = True

        if run is not None:
            self.step = run.starting_step
            _open.add(self)

    def log(self, row: Mapping[str, float | int | None]) -> None:
        """Sends a row; of a resumed run, only the rows that W&B has not seen.

        Arguments:
            row: The "step", which never decreases, and its numbers. None is left out: there is no
                such number yet. NaN is sent: there is one, and it is undefined.
        """

        step = int(row["step"] or 0)
        if self.run is None or not self.whole or step < self.step:
            return

        try:
            self.run.log({k: v for k, v in row.items() if v is not None}, step=step)
            self.step = step
        except Exception as error:
            self.whole = False
            _report(f"run {self.run.id} is mirrored up to step {self.step}: {error}")

    def finish(
        self,
        *,
        summary: Mapping[str, Any],
        histograms: Mapping[str, np.ndarray],
        figures: Mapping[str, Path],
        failed: bool,
    ) -> None:
        """Sends the results, and ends the run.

        Arguments:
            summary: The final numbers; None for one that is undefined.
            histograms: Arrays to show as histograms of their finite values.
            figures: Files to show as images.
        """

        if self.run is None:
            return

        try:
            if self.whole:
                self._send(summary, histograms, figures)
        except Exception as error:
            self.whole = False
            _report(f"run {self.run.id} is mirrored without its end: {error}")

        # No daemon: the interpreter waits for it first, and only then takes W&B's service down.
        end = threading.Thread(target=_end, args=(self, self.run, int(failed or not self.whole)))
        end.start()
        if self.run.offline or time.monotonic() > _paused_until:
            end.join()
        self.run = None

    def _send(self, summary: Mapping, histograms: Mapping, figures: Mapping) -> None:
        import wandb

        media: dict[str, Any] = {name: wandb.Image(str(path)) for name, path in figures.items()}
        for name, x in histograms.items():
            media[name] = wandb.Histogram(np_histogram=np.histogram(x[np.isfinite(x)], bins=64))

        if media:
            self.run.log(media, step=self.step)
        # W&B writes NaN as a text, and drops a NaN that it is given for a summary.
        undefined = {key for key, v in summary.items() if v is None or v != v}
        self.run.summary.update({**summary, **dict.fromkeys(undefined, "NaN")})


def _end(mirror: Mirror, run: Any, exit_code: int) -> None:
    try:
        run.finish(exit_code=exit_code)
    except Exception as error:
        _pause()
        files = Path(run.dir).parent
        _report(f"run {run.id} is mirrored in part; for the rest, wandb sync {files}: {error}")
    finally:
        _open.discard(mirror)


@dataclass(frozen=True)
class NoLogger:
    """Mirrors nothing."""

    def start(self, folder: Path, **run: Any) -> Mirror:
        return Mirror()


@dataclass(frozen=True)
class WandB:
    """Mirrors every run as one of W&B, with as many open at once as the process trains.

    What W&B would refuse of these settings, or of its own in the environment, is refused at once:
    told by its server it would look like an outage.

    Arguments:
        mode: "online", "offline" (into files, for wandb sync), "disabled", or "auto": the mode in
            WANDB_MODE, else online for a user who is logged in, else offline.
        entity: The user or team on W&B; None for the user's default.
        tags: Tags of every run.
        timeout_s: The longest wait for the server, at the start and at the end.
    """

    mode: Literal["auto", "offline", "online", "disabled"] = "auto"
    project: str = "isoexp"
    entity: str | None = None
    tags: Sequence[str] = ()
    timeout_s: float = 10.0

    def __post_init__(self) -> None:
        if self.mode == "disabled":
            return
        if not 0 < self.timeout_s < inf:
            raise UserError(f"logger.timeout_s must be positive, got {self.timeout_s}")
        if not self.project.strip():
            raise UserError(f"logger.project must be a name, got {self.project!r}")
        owner = {"logger.entity": self.entity, "WANDB_ENTITY": os.environ.get("WANDB_ENTITY")}
        for key, name in owner.items():
            if name is not None and not OWNER.fullmatch(name):
                told = "the name of a user or a team, of letters, digits, _ and -"
                raise UserError(f"{key} must be {told}, got {name!r}")
        for tag in self.tags:
            if not (tag.strip() and len(tag) <= LONGEST_TAG):
                told = f"texts of 1 to {LONGEST_TAG} characters"
                raise UserError(f"logger.tags must be {told}, got {tag!r}")

        settings: Any = _imported().Settings
        own = {"project": self.project} | ({} if self.mode == "auto" else {"mode": self.mode})
        for key, value in own.items():
            with _refused(f"logger.{key}={value}"):
                settings(**{key: value})
        for key, value in os.environ.items():
            if key.startswith("WANDB_"):
                with _refused(key):  # not what it is: it may be a key
                    settings().update_from_env_vars({key: value})

    def start(
        self,
        folder: Path,
        *,
        id: str,
        name: str,
        group: str,
        tags: Sequence[str],
        config: Mapping[str, Any],
    ) -> Mirror:
        """Starts or resumes the mirror of a run, in folder/wandb.

        A resumed run must log its rows from the first again: W&B resumes nothing offline, so the
        files of an earlier start are removed; online, the mirror skips rows that W&B has seen.

        Arguments:
            id: The run's name for the machine, the same whenever it is resumed.
            name: The run's name on the page.
            group: The name of the runs that this one is shown with.
            tags: Tags of this run.
            config: The configuration, in plain values.
        """

        if self.mode == "disabled":
            return Mirror()

        run = {"id": id, "name": name[:LONGEST], "group": group[:LONGEST], "dir": folder}
        run |= {"project": self.project, "entity": self.entity, "config": dict(config)}
        cut = dict.fromkeys(tag[:LONGEST_TAG] for tag in (*self.tags, *tags))
        run["tags"] = [tag for tag in cut if tag]

        try:
            return self._start_online(run) or _start(run, "offline", self.timeout_s)
        except Exception as error:
            _report(f"run {id} is not mirrored: {error}")
            return Mirror()

    def _start_online(self, run: dict[str, Any]) -> Mirror | None:
        """Returns the mirror of a run, or None where it is to be offline."""

        wandb = _imported()
        from wandb.errors import UsageError

        silent = wandb.Settings(silent=True)  # a silent wandb asks nobody for a key, either
        settings = wandb.setup(silent).settings
        mode = settings.mode if self.mode == "auto" else self.mode

        if mode == "disabled":
            return Mirror()
        if mode in ("offline", "dryrun") or time.monotonic() < _paused_until:
            return None

        try:
            return _start(run, "online", self.timeout_s)
        except UsageError as error:  # no key
            if "online" in (self.mode, os.environ.get("WANDB_MODE")):
                _report(f"run {run['id']} is mirrored offline: {error}")
        except Exception as error:
            _pause()
            if _open or wandb.run:
                raise
            _report(f"run {run['id']} and those of the next {PAUSE_S:g} s are offline: {error}")
            wandb.teardown()  # the failed start holds the id as long as W&B's service lives
            wandb.setup(silent)

        return None


def _imported() -> Any:
    # W&B's reports of its own errors print to stderr, and hold up the exit for 10 s.
    os.environ.setdefault("WANDB_ERROR_REPORTING", "false")
    import wandb

    return wandb


@contextmanager
def _refused(what: str) -> Iterator[None]:
    """Tells what W&B refuses, with its reason, as the user's mistake."""

    try:
        yield
    except Exception as error:
        first = next(iter(getattr(error, "errors", list)()), {})  # pydantic's are several lines
        reason = first.get("msg") or one_line(error)
        raise UserError(f"{what}: W&B refuses it: {reason}") from error


def _start(run: Mapping[str, Any], mode: Literal["online", "offline"], timeout_s: float) -> Mirror:
    """Starts a run, given as arguments of wandb.init."""

    import wandb

    settings = wandb.Settings(
        silent=True,
        console="off",
        init_timeout=timeout_s,
        finish_timeout=timeout_s,
        finish_timeout_raises=True,
        save_code=False,
        disable_code=True,
        disable_git=True,
        disable_job_creation=True,
        label_disable=True,
        symlink=False,
        x_disable_meta=True,
        x_disable_stats=True,
        x_disable_machine_info=True,
        x_save_requirements=False,
    )
    resume = "allow" if mode == "online" else None

    shutil.rmtree(run["dir"] / "wandb", ignore_errors=True)
    mirrored = wandb.init(**run, mode=mode, resume=resume, reinit="create_new", settings=settings)
    mirrored.define_metric("step")
    mirrored.define_metric("*", step_metric="step")

    return Mirror(mirrored)


def _pause() -> None:
    """Keeps the next runs of this process offline."""

    global _paused_until
    _paused_until = time.monotonic() + PAUSE_S


def _report(message: str) -> None:
    say(f"isoexp: W&B: {' '.join(message.split())}", sys.stderr)
