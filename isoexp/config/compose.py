"""Composing: the overrides of a command line become one configuration, or all those of a sweep."""

__all__ = ["choice", "compose", "expand"]

import shlex
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..errors import UserError, one_line
from .axes import SweepSettings, kept, product
from .composition import (
    Composition,
    Files,
    Template,
    composition,
    explained,
    mixed,
    plain,
    template,
)
from .groups import choices
from .overrides import as_texts, check_overrides, options, parsed, split


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


def expand(
    overrides: Sequence[str], folders: Sequence[Path] = (), alike: bool = False
) -> list[Composition]:
    """Composes every configuration of a sweep: key=a,b and range, choice, glob, as Hydra's -m.

    sweep.zip, union and exclude say how values are combined.

    Arguments:
        alike: Whether more sweeps of the same choices will be composed: they share what each makes.

    Raises:
        UserError: If the overrides do not fit the configuration.
    """

    known, files = choices(folders), Files.of(folders)
    overrides = as_texts(overrides)

    found = check_overrides(overrides, folders, sweep=True)
    values = [options(each, known.get(each.key_or_group, ())) for each in found]
    first = [text for each in values for text in each[:1]]
    sweep = _sweep_settings(first, files, mixed if alike else template)
    every = product(overrides, folders, sweep)
    chosen = {tuple(split(line, files.groups)[0]) for line in every}
    singly = {text for line in chosen for text in line}
    composed = mixed if alike or len(singly) < len(chosen) else template

    try:
        jobs = [composition(line, files, composed) for line in every]
    except UserError as error:
        apart = _apart(found, known, files)
        first = str(error).partition(";")[0]
        raise UserError(f"{first} for some: {apart}" if apart else str(error)) from error

    return kept(jobs, sweep, known)


def _apart(
    overrides: Sequence[Override], known: Mapping[str, Collection[str]], files: Files
) -> str:
    """Tells of sweep.union, if a setting fits some of the choices that are swept, and not all."""

    texts = [override.input_line or "" for override in overrides]
    for override in overrides:
        group = override.key_or_group
        own = [text for text in texts if text.startswith(f"{group}.")]
        if group not in known or not override.is_sweep_override() or not own:
            continue
        first = [options(parsed(text))[0] for text in own]
        fits: dict[bool, list[str]] = {True: [], False: []}
        for text in options(override, known[group]):
            try:
                composition([text, *first], files)
            except UserError:
                fits[False].append(text.partition("=")[2])
            else:
                fits[True].append(text.partition("=")[2])
        if all(fits.values()):
            some = " ".join([f"{group}={','.join(fits[True])}", *own])
            union = f'sweep.union=["{some}","{group}={",".join(fits[False])}"]'
            return f"sweep each with settings of its own, {shlex.quote(union)}"

    return ""


def choice(group: str, path: Path) -> dict[str, Any]:
    """Returns what the file of a choice says by itself.

    Raises:
        UserError: If it cannot be read.
    """

    try:
        return plain(OmegaConf.create({group: OmegaConf.load(path)}))[group]
    except (OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {one_line(error)}") from error


def _sweep_settings(
    overrides: Sequence[str], files: Files, composed: Callable[[tuple[str, ...], Files], Template]
) -> SweepSettings:
    """Returns how the jobs are combined and done, as overrides and a study's file say."""

    chosen, settings = split(overrides, files.groups)
    try:
        node = composed(tuple(chosen), files).tree.get("sweep")
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(explained(error, overrides, files)) from error
    for path, value in settings:
        if path == ("sweep",):
            node = value
        elif path[0] == "sweep" and isinstance(node, Mapping):
            node = {**node, ".".join(path[1:]): value}

    return SweepSettings.of(node)
