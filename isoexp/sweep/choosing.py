"""Choosing: which launcher the words of a sweep ask for, and whether it can do what they ask.

hydra/launcher=submitit_slurm, submitit_local and ray send the units of a sweep. They are told by
their _target_, so that a file of the user's own may be one of them with other settings. All others
are Hydra's own affair.
"""

__all__ = ["hands", "launcher", "of_hydra", "wants_hydra"]

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ..errors import UserError, did_you_mean
from ..experiment.composition import hydra_ready, search_path
from ..experiment.settings import describe_type, fits
from ..experiment.words import parsed
from .ray import Ray
from .running import Hands
from .slurm import Local, Slurm

TARGETS: dict[str, tuple[type[Slurm | Local | Ray], str]] = {
    "isoexp.sweep.Slurm": (Slurm, "slurm"),
    "isoexp.sweep.Local": (Local, "slurm"),
    "isoexp.sweep.Ray": (Ray, "ray"),
}
"""What sends units, and the extra that it needs."""


def of_hydra(word: str) -> bool:
    """Whether a word chooses or sets a launcher or sweeper."""

    names = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper")

    return word.lstrip("+~").startswith(names)


def wants_hydra(words: Sequence[str], folders: Sequence[Path] = ()) -> bool:
    """Whether the words choose a launcher or sweeper that is Hydra's own affair.

    Raises:
        UserError: If they choose a sweeper, and a launcher that takes none.
    """

    asked = [word for word in words if of_hydra(word)]
    if not asked:
        return False

    ours = str(_settings(asked, folders).get("_target_")) in TARGETS
    sweepers = [word for word in asked if word.lstrip("+~").startswith("hydra/sweeper")]
    if ours and sweepers:
        raise UserError(f"{_choice(asked)} takes no sweeper: leave out {sweepers[0]}")

    return not ours


def launcher(
    words: Sequence[str], folders: Sequence[Path] = ()
) -> tuple[str, dict[str, Any]] | None:
    """Returns the choice of a cluster and its settings, if the words choose one.

    Raises:
        UserError: If a setting is not one of it, or its engine is not on this machine.
    """

    asked = [word for word in words if of_hydra(word)]
    settings = _settings(asked, folders) if asked else {}
    if settings.get("_target_") not in TARGETS:
        return None

    choice = _choice(asked)
    engine, extra = TARGETS[settings["_target_"]]
    given = {key: value for key, value in settings.items() if key != "_target_"}
    hints = {f.name: f.type for f in fields(engine) if f.name != "out"}
    for key, value in given.items():
        if key not in hints:
            near = did_you_mean(key, hints) or f"; it has {', '.join(hints)}"
            raise UserError(f"there is no setting hydra.launcher.{key}{near}")
        if not fits(value, hints[key]):
            kind = describe_type(hints[key])
            raise UserError(f"hydra.launcher.{key} must be {kind}, got {value!r}")
    for key in hints:
        if key not in given:
            raise UserError(f"hydra.launcher.{key} may not be left out")

    if find_spec("submitit" if extra == "slurm" else extra) is None:
        raise UserError(f"{choice} needs pip install isoexp[{extra}]")
    if engine is Slurm and shutil.which("sbatch") is None:
        raise UserError("there is no sbatch on this machine: start the sweep on a Slurm host")

    return choice.removeprefix("hydra/launcher="), settings


def hands(name: str, settings: Mapping[str, Any], out: Path) -> Hands:
    """Returns what sends units to a cluster.

    Arguments:
        name: The choice of hydra/launcher.
        settings: Its settings, as `launcher` returned them.
        out: The folder of the studies.

    Raises:
        UserError: If the engine refuses its settings.
    """

    engine, _ = TARGETS[settings["_target_"]]
    given = {key: value for key, value in settings.items() if key != "_target_"}
    try:
        return engine(out, **given)
    except (AssertionError, ValueError, RuntimeError, OSError) as error:
        raise UserError(f"hydra/launcher={name}: {' '.join(str(error).split())}") from error


def _choice(words: Sequence[str]) -> str:
    """Returns the word that chooses a launcher."""

    return next((w for w in reversed(words) if w.lstrip("+~").startswith("hydra/launcher=")), "")


def _settings(words: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    """Returns the settings of the launcher that words choose."""

    for word in words:
        if parsed(word).is_sweep_override():
            key = word.partition("=")[0]
            raise UserError(f"{key} is of the whole sweep: it has one value, got {word}")

    # Settings that there are not are let in, to be named with those that there are.
    forced = [f"++{w}" if w.startswith("hydra.launcher.") else w for w in words]
    with hydra_ready():
        try:
            whole = hydra_compose(
                "config", [*forced, *search_path(folders)], return_hydra_config=True
            )
            settings = OmegaConf.to_container(whole.hydra.launcher, resolve=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(_why(error, _choice(words))) from error
    assert isinstance(settings, dict)

    return {str(key): value for key, value in settings.items()}


def _why(error: Exception, choice: str) -> str:
    """Returns an error of Hydra's in one line, with the launcher that was probably meant."""

    said, _, listed = str(error).partition("Available options in 'hydra/launcher':")
    if listed:
        known = listed.partition("Config search path")[0].split()
        near = did_you_mean(choice.partition("=")[2], known) or f"; there are {', '.join(known)}"
        return f"there is no {choice}{near}"

    return " ".join(said.split())
