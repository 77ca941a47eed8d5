"""Composing: the overrides of a command line become one configuration, or all those of a sweep."""

__all__ = ["choice", "compose", "expand"]

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..errors import UserError, one_line
from .axes import SweepSettings, kept, product
from .composition import Composition, Files, composition, explained, mixed, plain, template
from .groups import choices
from .overrides import as_texts, check_overrides, options, split


def compose(overrides: Sequence[str], folders: Sequence[Path] = ()) -> Composition:
    """Composes one configuration.

    Arguments:
        overrides: group=choice, key=value, +key=value, ~key.
        folders: Folders of the user's own choices, laid out like conf/.

    Raises:
        UserError: If the overrides do not fit the configuration.
    """

    overrides = as_texts(overrides)
    check_overrides(overrides, folders, sweep=False)

    return composition(overrides, Files.of(folders))


def expand(overrides: Sequence[str], folders: Sequence[Path] = ()) -> list[Composition]:
    """Composes every configuration of a sweep: key=a,b and range, choice, glob, as Hydra's -m.

    sweep.zip, union and exclude say how values are combined.

    Raises:
        UserError: If the overrides do not fit the configuration.
    """

    known, files = choices(folders), Files.of(folders)
    overrides = as_texts(overrides)

    found = check_overrides(overrides, folders, sweep=True)
    values = [options(each, known.get(each.key_or_group, ())) for each in found]
    sweep = _sweep_settings([text for each in values for text in each[:1]], files)
    every = product(overrides, folders, sweep)
    chosen = {tuple(split(line, files.groups)[0]) for line in every}
    singly = {text for line in chosen for text in line}
    composed = mixed if len(singly) < len(chosen) else template

    return kept([composition(line, files, composed) for line in every], sweep, known)


def choice(group: str, path: Path) -> dict[str, Any]:
    """Returns what the file of a choice says by itself.

    Raises:
        UserError: If it cannot be read.
    """

    try:
        return plain(OmegaConf.create({group: OmegaConf.load(path)}))[group]
    except (OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {one_line(error)}") from error


def _sweep_settings(overrides: Sequence[str], files: Files) -> SweepSettings:
    """Returns how the jobs are combined and done, as overrides and a study's file say."""

    chosen, settings = split(overrides, files.groups)
    try:
        node = template(tuple(chosen), files).tree.get("sweep")
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explained(error, overrides, files)) from error
    for path, value in settings:
        if path == ("sweep",):
            node = value
        elif path[0] == "sweep" and isinstance(node, Mapping):
            node = {**node, ".".join(path[1:]): value}

    return SweepSettings.of(node)
