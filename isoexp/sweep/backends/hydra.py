"""Launchers and sweepers of Hydra's own, such as basic.

Those do one job after the other, each composed by Hydra, and most stop at the first that fails.
"""

__all__ = ["launch"]

import re
from collections.abc import Sequence
from math import prod
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ...config.axes import SweepSettings
from ...config.compose import expand
from ...config.composition import Composition, hydra_ready, plain, search_path
from ...config.overrides import length, parsed
from ...config.settings import check_runs
from ...errors import UserError, one_line
from ...experiment.job import (
    Aborted,
    AlreadyDone,
    Ended,
    HeldElsewhere,
    prepare,
    prepare_all,
    refuse_idle,
    undone,
    validate,
)
from ...experiment.run import execute
from ...names import climbs
from ...store.tables import SCORES
from ..plan import as_asked
from .launcher import of_hydra


class JobFailed(RuntimeError):
    """A run of a job did not complete."""


def launch(overrides: Sequence[str], folders: Sequence[Path] = ()) -> list[str]:
    """Runs a sweep through a launcher and sweeper of Hydra's; returns why jobs failed."""

    if not any(text.lstrip("+~").startswith("hydra/sweeper") for text in overrides):
        own = [text for text in overrides if not of_hydra(text)]
        jobs = [as_asked(job) for job in prepare_all(expand(own, folders))]
        refuse_idle(jobs)
        if SweepSettings.of(jobs[0].config["sweep"]).combines:
            raise UserError("sweep.zip, union and exclude are not known to launchers of Hydra's")
        validate(job for job, left in zip(jobs, undone(jobs), strict=True) if left)
    else:
        count = prod(length(parsed(text)) for text in overrides)
        if "hydra/sweeper=basic" in overrides:  # it lists all jobs, before isoexp is asked
            check_runs(count, "the sweep")

    with hydra_ready():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        try:
            _check_hydra(hydra, [*overrides, *search_path(folders)])
            batches: Any = hydra.multirun("config", run_job, [*overrides, *search_path(folders)])
        except (HydraException, ImportError) as error:
            raise UserError(one_line(error)) from error
        except JobFailed as error:
            return [str(error)]

    jobs = [job for batch in batches for job in batch] if isinstance(batches, list) else []

    return [str(job._return_value) for job in jobs if job.status.name == "FAILED"]


def _check_hydra(hydra: Any, overrides: Sequence[str]) -> None:
    """Refuses settings of Hydra's that run code or set the environment."""

    asked, plain = (
        hydra.compose_config("config", each, RunMode.MULTIRUN).hydra for each in (overrides, [])
    )
    for key in ("callbacks", "job.env_set", "job.env_copy", "job_logging", "hydra_logging"):
        if OmegaConf.select(asked, key) != OmegaConf.select(plain, key):
            raise UserError(f"hydra.{key} may not be set: a configuration is not a way to run code")
    raw: Any = OmegaConf.to_container(asked)
    for key, name in {"output_subdir": raw["output_subdir"], **raw["sweep"]}.items():
        # A folder is named by its path, what Hydra makes in it by names, perhaps of other settings.
        refers = re.search(r"\$\{(?!hydra.job.(num|id)\})", str(name))
        others = [text for text in overrides if not text.startswith(("hydra", "out="))]
        found = [text for text in (str(name), *others * bool(refers)) if climbs(text)]
        if key != "dir" and found:
            raise UserError(f"hydra's {key} must stay in its folder, got {found[0]}: .. leads out")


def run_job(config: DictConfig) -> float | None:
    """Does one job inside a launcher of Hydra's; returns the validation score of its first run.

    Raises:
        JobFailed: If a run of it failed, so that Hydra counts the job as failed.
    """

    hydra = HydraConfig.get()
    choices = {str(k): str(v) for k, v in hydra.runtime.choices.items() if v and "/" not in str(k)}
    task = tuple(hydra.overrides.task)
    job = as_asked(prepare(Composition(plain(config), choices, task)))

    failures, done = [], []
    for event in execute([job]):
        match event:
            case AlreadyDone(run):
                done.append(run)
            case HeldElsewhere(reason) | Aborted(_, reason):
                failures.append(reason)
            case Ended(run, reason):
                done.append(run)
                failures += [f"{run.folder}: {reason}"] if reason else []

    if failures:
        raise JobFailed("; ".join(failures))

    return next((done[0].summary[k] for k in SCORES if k in done[0].summary), None)
