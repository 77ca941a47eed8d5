"""Launching by launchers and sweepers of Hydra's own, such as basic.

Those do one job after the other, each composed by Hydra, and most stop at the first that fails.
"""

__all__ = ["launch"]

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from ..errors import UserError
from ..experiment.composition import expand, hydra_ready, plain, search_path
from ..experiment.configuration import Job
from ..experiment.execution import Aborted, AlreadyDone, HeldElsewhere, execute
from ..experiment.preparation import prepare, prepare_all, undone
from ..experiment.sweeping import Sweeping
from ..experiment.validation import validate
from .choosing import of_hydra
from .planning import as_asked

SCORES = ("valid/accuracy", "valid/r2")


class JobFailed(RuntimeError):
    """A run of a job did not complete."""


def launch(words: Sequence[str], folders: Sequence[Path] = ()) -> list[str]:
    """Runs a sweep through a launcher and sweeper of Hydra's; returns why jobs failed.

    Raises:
        UserError: If the words do not fit the configuration.
    """

    if not any(word.lstrip("+~").startswith("hydra/sweeper") for word in words):
        own = [word for word in words if not of_hydra(word)]
        jobs = [as_asked(job) for job in prepare_all(expand(own, folders))]
        sweeping = Sweeping.of(jobs[0].job.config["sweep"])
        if sweeping.zip or sweeping.union or sweeping.exclude:
            raise UserError("sweep.zip, union and exclude are not known to launchers of Hydra's")
        validate(job for job, left in zip(jobs, undone(jobs), strict=True) if left)

    with hydra_ready():
        hydra = GlobalHydra.instance().hydra
        assert hydra is not None
        try:
            _check_hydra(hydra, [*words, *search_path(folders)])
            batches: Any = hydra.multirun("config", run_job, [*words, *search_path(folders)])
        except (HydraException, ImportError) as error:
            raise UserError(" ".join(str(error).split())) from error
        except JobFailed as error:
            return [str(error)]

    jobs = [job for batch in batches for job in batch] if isinstance(batches, list) else []

    return [str(job._return_value) for job in jobs if job.status.name == "FAILED"]


def _check_hydra(hydra: Any, words: Sequence[str]) -> None:
    """Refuses settings of Hydra's that run code or set the environment: a YAML may hold them."""

    asked, plain = (
        hydra.compose_config("config", each, RunMode.MULTIRUN).hydra for each in (words, [])
    )
    for key in ("callbacks", "job.env_set", "job.env_copy", "job_logging", "hydra_logging"):
        if OmegaConf.select(asked, key) != OmegaConf.select(plain, key):
            raise UserError(f"hydra.{key} may not be set: a configuration is not a way to run code")


def run_job(config: DictConfig) -> float | None:
    """Does one job inside a launcher of Hydra's, and returns the validation score of its first run.

    Raises:
        JobFailed: If a run of it failed, so that Hydra counts the job as failed.
    """

    from ..experiment.trial import Ended  # imports torch, which planning a sweep may not need

    hydra = HydraConfig.get()
    choices = {str(k): str(v) for k, v in hydra.runtime.choices.items() if v and "/" not in str(k)}
    prepared = as_asked(prepare(Job(plain(config), choices, tuple(hydra.overrides.task))))

    failures, done = [], []
    for event in execute([prepared]):
        match event:
            case AlreadyDone(run):
                done.append(run)
            case HeldElsewhere(reason) | Aborted(_, reason):
                failures.append(reason)
            case Ended(record, status, reason):
                done.append(record.run)
                failures += [f"{record.run.folder}: {reason}"] if status == "failed" else []

    if failures:
        raise JobFailed("; ".join(failures))

    return next((done[0].summary[k] for k in SCORES if k in done[0].summary), None)
