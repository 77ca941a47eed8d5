"""Launching: what hydra/launcher asks for, and launchers of Hydra's own, such as basic.

Those do one job after the other, each composed by Hydra, and most stop at the first that fails.
"""

__all__ = ["launch", "launcher", "of_hydra", "wants_hydra"]

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..errors import UserError
from ..experiment.composition import expand, hydra_ready, plain, search_path
from ..experiment.configuration import Job
from ..experiment.execution import Aborted, AlreadyDone, HeldElsewhere, execute
from ..experiment.preparation import prepare, prepare_all, undone
from ..experiment.sweeping import Sweeping
from ..experiment.validation import validate
from .clusters import LAUNCHERS

SCORES = ("valid/accuracy", "valid/r2")


class JobFailed(RuntimeError):
    """A run of a job did not complete."""


def of_hydra(word: str) -> bool:
    """Whether a word chooses or sets a launcher or sweeper."""

    names = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper")

    return word.lstrip("+~").startswith(names)


def wants_hydra(words: Sequence[str]) -> bool:
    """Whether the words choose a launcher or sweeper that is Hydra's own affair."""

    asked = [word for word in words if of_hydra(word)]
    name = _chosen(asked)

    return bool(asked) and (name not in LAUNCHERS or any("sweeper" in word for word in asked))


def launcher(words: Sequence[str]) -> tuple[str, dict[str, Any]] | None:
    """Returns the cluster that the words choose and its settings, if they choose one.

    Raises:
        UserError: If a setting is not one of it.
    """

    asked = [word for word in words if of_hydra(word)]
    if not asked:
        return None

    with hydra_ready():
        try:
            whole = hydra_compose("config", asked, return_hydra_config=True)
            settings = OmegaConf.to_container(whole.hydra.launcher, resolve=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(str(error).strip().splitlines()[0]) from error
    assert isinstance(settings, dict)

    return _chosen(asked), {str(key): value for key, value in settings.items()}


def _chosen(words: Sequence[str]) -> str:
    chosen = [w.partition("=")[2] for w in words if w.lstrip("+~").startswith("hydra/launcher=")]

    return chosen[-1] if chosen else ""


def launch(words: Sequence[str], folders: Sequence[Path] = ()) -> list[str]:
    """Runs a sweep through a launcher and sweeper of Hydra's; returns why jobs failed.

    Raises:
        UserError: If the words do not fit the configuration.
    """

    if not any(word.lstrip("+~").startswith("hydra/sweeper") for word in words):
        jobs = prepare_all(expand([word for word in words if not of_hydra(word)], folders))
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
    prepared = prepare(Job(plain(config), choices, tuple(hydra.overrides.task)))

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
