"""The launcher that hydra/launcher=NAME asks for, and whether it can do what it is asked.

Its file names a backend by `_target_`: one of isoexp's, or a class of the user's own with the
methods of `Backend`, of a package that the user allows. Launchers of Hydra's are Hydra's affair.
"""

__all__ = ["Launcher", "chosen_launcher", "of_hydra", "wants_hydra"]

import importlib
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra import compose as hydra_compose
from hydra.errors import HydraException
from hydra.plugins.launcher import Launcher as HydraLauncher
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from ...config.build import MARKS, check_arguments
from ...config.composition import hydra_ready, search_path
from ...config.overrides import parsed
from ...config.targets import resolve
from ...errors import UserError, did_you_mean, one_line
from . import Backend

OURS = "isoexp.sweep.backends."
METHODS = ("send", "wait", "stop", "close")


@dataclass(frozen=True)
class Launcher:
    """A choice of hydra/launcher that names a backend, and its settings."""

    name: str
    engine: Any
    settings: Mapping[str, Any]

    def backend(self, out: Path) -> Backend:
        """Builds the backend; `out` is the folder of the studies.

        Raises:
            UserError: If it refuses its settings.
        """

        try:
            return self.engine(out=out, **self.settings)
        except (AssertionError, TypeError, ValueError, RuntimeError, OSError) as error:
            raise UserError(f"hydra/launcher={self.name}: {one_line(error)}") from error


def of_hydra(override: str) -> bool:
    """Whether an override chooses or sets a launcher or sweeper."""

    names = ("hydra/launcher", "hydra/sweeper", "hydra.launcher", "hydra.sweeper")

    return override.lstrip("+~").startswith(names)


def wants_hydra(overrides: Sequence[str], folders: Sequence[Path] = ()) -> bool:
    """Whether a launcher or sweeper of Hydra's own is asked for.

    Raises:
        UserError: If a sweeper is, with a launcher that takes none.
    """

    asked = [text for text in overrides if of_hydra(text)]
    if not asked:
        return False

    ours = _engine(_settings(asked, folders)) is not None
    sweepers = [text for text in asked if text.lstrip("+~").startswith("hydra/sweeper")]
    if ours and sweepers:
        raise UserError(f"{_choice(asked)} takes no sweeper: leave out {sweepers[0]}")

    return not ours


def chosen_launcher(overrides: Sequence[str], folders: Sequence[Path] = ()) -> Launcher | None:
    """Returns the launcher that overrides choose, if it names a backend.

    Raises:
        UserError: If a setting is none of the backend's, or it cannot work on this machine.
    """

    asked = [text for text in overrides if of_hydra(text)]
    settings = _settings(asked, folders) if asked else {}
    engine = _engine(settings)
    if engine is None:
        return None

    check_arguments("hydra.launcher", settings, engine, given=("out",))
    choice = _choice(asked)
    lacks = getattr(engine, "lacks", None)
    reason = lacks() if callable(lacks) else None
    if reason:
        raise UserError(f"{choice or engine.__name__} {reason}")
    given = {key: value for key, value in settings.items() if key not in MARKS}

    return Launcher(choice.partition("=")[2] or engine.__name__, engine, given)


def _engine(settings: Mapping[str, Any]) -> Any:
    """Returns the class of the backend that a file names; None for a launcher of Hydra's."""

    target = str(settings.get("_target_") or "")
    if not target or target.startswith(("hydra.", "hydra_plugins.")):
        return None
    if target.startswith(OURS):
        module, _, name = target.rpartition(".")
        return getattr(importlib.import_module(module), name)

    found = resolve("hydra.launcher", target)
    if inspect.isclass(found) and issubclass(found, HydraLauncher):
        return None
    missing = [name for name in METHODS if not callable(getattr(found, name, None))]
    if missing:
        raise UserError(
            f"hydra.launcher._target_ must name a backend, with {', '.join(METHODS)}, got {target}:"
            f" it has no {missing[0]}"
        )

    return found


def _choice(overrides: Sequence[str]) -> str:
    chosen = [text for text in overrides if text.lstrip("+~").startswith("hydra/launcher=")]

    return chosen[-1] if chosen else ""


def _settings(overrides: Sequence[str], folders: Sequence[Path]) -> dict[str, Any]:
    for text in overrides:
        if parsed(text).is_sweep_override():
            key = text.partition("=")[0]
            raise UserError(f"{key} is of the whole sweep: it has one value, got {text}")

    # Unknown settings are let in, to be named with the known ones.
    forced = [f"++{text}" if text.startswith("hydra.launcher.") else text for text in overrides]
    with hydra_ready():
        try:
            whole = hydra_compose(
                "config", [*forced, *search_path(folders)], return_hydra_config=True
            )
            settings = OmegaConf.to_container(whole.hydra.launcher, resolve=True)
        except (HydraException, OmegaConfBaseException) as error:
            raise UserError(_why(error, _choice(overrides))) from error
    assert isinstance(settings, dict)

    return {str(key): value for key, value in settings.items()}


def _why(error: Exception, choice: str) -> str:
    """Says an error of Hydra's in one line, with the launcher that was probably meant."""

    said, _, listed = str(error).partition("Available options in 'hydra/launcher':")
    if listed:
        known = listed.partition("Config search path")[0].split()
        near = did_you_mean(choice.partition("=")[2], known) or f"; there are {', '.join(known)}"
        return f"there is no {choice}{near}"

    return " ".join(said.split())
