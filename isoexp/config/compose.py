"""Composition: the overrides of a command line become configurations, or one clear line.

Overrides that only set a value are set in copies of a template, which is fifty times as fast as
composing by Hydra; the rest goes through Hydra.
"""

__all__ = ["Composition", "choice", "compose", "expand"]

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from hydra.errors import HydraException
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..errors import UserError, did_you_mean, one_line
from .axes import SweepSettings, kept, product
from .document import Config, nodes
from .groups import choices, handed
from .overrides import check_overrides, options, parsed, setting
from .templates import Files, Setting, Template, by_hydra, mixed, plain, template


@dataclass(frozen=True)
class Composition:
    """A composed configuration.

    Arguments:
        config: The configuration.
        choices: The choice of each group that has one.
        overrides: The overrides, as the user wrote them.
    """

    config: Config
    choices: Mapping[str, str]
    overrides: tuple[str, ...]


def compose(overrides: Sequence[str], folders: Sequence[Path] = ()) -> Composition:
    """Composes one configuration.

    Arguments:
        overrides: group=choice, key=value, +key=value, ~key.
        folders: Folders of the user's own choices, laid out like conf/.

    Raises:
        UserError: If the overrides do not fit the configuration.
    """

    check_overrides(overrides, folders, sweep=False)

    return _compose(overrides, Files.of(folders))


def expand(overrides: Sequence[str], folders: Sequence[Path] = ()) -> list[Composition]:
    """Composes every configuration of a sweep: key=a,b and range, choice, glob, as Hydra's -m.

    sweep.zip, union and exclude say how values are combined.

    Raises:
        UserError: If the overrides do not fit the configuration.
    """

    known, files = choices(folders), Files.of(folders)

    found = check_overrides(overrides, folders, sweep=True)
    values = [options(each, known.get(each.key_or_group, ())) for each in found]
    sweep = _sweep_settings([text for each in values for text in each[:1]], files)
    every = product(overrides, folders, sweep)
    chosen = {tuple(_split(line, files)[0]) for line in every}
    singly = {text for line in chosen for text in line}
    composed = mixed if len(singly) < len(chosen) else template

    return kept([_compose(line, files, composed) for line in every], sweep, known)


def choice(group: str, path: Path) -> dict[str, Any]:
    """Returns what the file of a choice says by itself.

    Raises:
        UserError: If it cannot be read.
    """

    try:
        return plain(OmegaConf.create({group: OmegaConf.load(path)}))[group]
    except (OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {one_line(error)}") from error


def _compose(
    overrides: Sequence[str],
    files: Files,
    composed: Callable[[tuple[str, ...], Files], Template] = template,
) -> Composition:
    """Composes a configuration: the choices, once for all that choose alike, then the settings."""

    chosen, settings = _split(overrides, files)
    try:
        found = composed(tuple(chosen), files)
        cleared = [((key,), None) for key in _cleared(overrides, found.tree)]
        config = found.filled([*settings, *cleared])
        if config is not None:
            return Composition(config, found.choices, tuple(overrides))
    except (UserError, HydraException, OmegaConfBaseException):
        pass  # the whole of it, by Hydra, says what is wrong

    return _composed(overrides, files)


def _split(overrides: Sequence[str], files: Files) -> tuple[Sequence[str], list[Setting]]:
    """Separates the overrides that need Hydra from those that only set a value."""

    chosen: list[str] = []
    settings: list[Setting] = []
    touched: set[str] = set()
    for text in overrides:
        found = setting(text)
        if found is not None and ".".join(found[0]) not in files.groups:
            settings.append(found)
            continue
        chosen.append(text)
        key = parsed(text).key_or_group
        if key not in files.groups:
            touched.add(key.partition(".")[0])

    # Hydra sets in the order of the overrides: what touches the same part is left to it.
    if any(path[0] in touched for path, _ in settings):
        return overrides, []

    return chosen, settings


def _composed(overrides: Sequence[str], files: Files) -> Composition:
    """Composes a configuration by Hydra alone."""

    try:
        whole, chosen = by_hydra(overrides, files)
        for key in _cleared(overrides, whole):
            whole[key] = None
        missing = sorted(OmegaConf.missing_keys(whole))
        if missing:
            raise UserError(f"{missing[0]} must be given: {missing[0]}=…")

        return Composition(plain(whole), chosen, tuple(overrides))
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_why(error, overrides, files)) from error


def _cleared(overrides: Sequence[str], config: Mapping[Any, Any]) -> list[str]:
    """Returns which of epochs and steps gives way: what is typed goes before what a file says."""

    typed = {text.lstrip("+").partition("=")[0] for text in overrides}

    return [
        other
        for one, other in (("epochs", "steps"), ("steps", "epochs"))
        if one in typed and other not in typed and config.get(other) is not None
    ]


def _sweep_settings(overrides: Sequence[str], files: Files) -> SweepSettings:
    """Returns how the jobs are combined and done, as overrides and a study's file say."""

    chosen, settings = _split(overrides, files)
    try:
        node = template(tuple(chosen), files).tree.get("sweep")
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_why(error, overrides, files)) from error
    for path, value in settings:
        if path == ("sweep",):
            node = value
        elif path[0] == "sweep" and isinstance(node, Mapping):
            node = {**node, ".".join(path[1:]): value}

    return SweepSettings.of(node)


def _why(error: Exception, overrides: Sequence[str], files: Files) -> str:
    """Says an error of Hydra's in one line, with the key that was probably meant."""

    chosen = [text for text in overrides if text.partition("=")[0].lstrip("+~") in files.groups]
    known: dict[str, Any] = {}
    if len(chosen) < len(overrides):
        try:
            whole = _compose(chosen, files).config
            known = {".".join(map(str, path)): node for path, node in nodes(whole)}
        except UserError:
            pass
    for text in overrides if known else ():
        key = text.partition("=")[0]
        group, _, inner = key.partition(".")
        if group == "model" and inner.partition(".")[0] in handed():
            name = inner.partition(".")[0]
            return f"the model is handed its {name}: set {inner}=…"
        if text not in chosen and not key.startswith("+") and key not in known:
            return _unknown(key.lstrip("~"), list(known))

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]

    return lines[0] if lines else type(error).__name__


def _unknown(key: str, known: Sequence[str]) -> str:
    """Says that there is no such setting, and which one is near, or which there are."""

    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent and "._" not in k]
    near = did_you_mean(key, siblings) or did_you_mean(key, [k for k in known if "." in k])
    if not near:
        names = ", ".join(k.rpartition(".")[2] for k in siblings)
        near = f"; {parent} takes {names or 'none'}" if parent else ""

    return f"there is no setting {key}{near}"
