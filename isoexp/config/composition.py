"""Composition: overrides become a configuration, or one clear line.

Hydra composes choices, once for all configurations that choose alike; overrides that only set a
value are set in copies of that template, which is far cheaper. The rest goes through Hydra.
"""

__all__ = [
    "Composition", "Files", "composition", "explained", "hydra_ready", "mixed", "plain",
    "search_path", "template",
]  # fmt: skip

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import hydra
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..errors import UserError, did_you_mean, one_line
from .document import Config, nodes, parse
from .groups import CONF, GROUPS, choices, handed
from .overrides import Setting, parsed, split

MISSING = "???"


@dataclass(frozen=True)
class Files:
    """The files to compose from, conf/ and folders of the user's own, as they were when listed."""

    folders: tuple[Path, ...]
    groups: frozenset[str]
    stamp: str

    @classmethod
    def of(cls, folders: Sequence[Path]) -> "Files":
        own = [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]
        for path in own:
            _check_file(path, path.stat().st_mtime_ns)
        files = [(str(path), path.stat()) for path in (*sorted(CONF.rglob("*.yaml")), *own)]
        stamp = repr([(name, stat.st_mtime_ns, stat.st_size) for name, stat in files])
        stamp = hashlib.blake2b(stamp.encode()).hexdigest()

        return cls(tuple(folders), frozenset(choices(folders)), stamp)


@lru_cache(maxsize=4096)
def _check_file(path: Path, stamp: int) -> None:
    """Checks a file of the user's before Hydra reads it, which says little of what is wrong.

    Raises:
        UserError: If it is no file, or nothing that Hydra can read.
    """

    if not path.is_file():
        raise UserError(f"{path} must be a file: what is named .yaml is a choice")
    try:
        text = path.read_text(encoding="utf-8")
        found = parse(text) if any(_says_something(line) for line in text.splitlines()) else {}
    except (OSError, UnicodeDecodeError, UserError) as error:
        raise UserError(f"{path}: {one_line(error)}") from error

    defaults = found.get("defaults", [])
    if not isinstance(defaults, list) or not all(map(_is_default, defaults)):
        told = "a list of choices like - override /model: mlp"
        raise UserError(f"{path}: defaults must be {told}, got {str(defaults)[:50]}")


def _says_something(line: str) -> bool:
    return bool(line.partition("#")[0].strip(" -{}"))


def _is_default(node: Any) -> bool:
    """Whether an item of a list of defaults is one: a choice, or one choice of a group."""

    if not isinstance(node, dict):
        return isinstance(node, str)

    return len(node) == 1 and all(
        value is None or all(isinstance(each, str) for each in _listed(value))
        for value in node.values()
    )


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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


@dataclass(frozen=True, eq=False)
class Template:
    """A configuration whose values may still be set.

    Arguments:
        tree: The configuration; resolved, unless a user's file refers to other settings.
        choices: The choice of each group that has one.
    """

    tree: Mapping[str, Any]
    choices: Mapping[str, str]

    def filled(self, settings: Sequence[Setting]) -> dict[str, Any] | None:
        """Sets values in copies; None if one can be set by Hydra only, or is missing."""

        tree = dict(self.tree)
        if not all(_set(tree, path, value) for path, value in settings):
            return None
        if self._open:  # a reference to what was set, or a value that had to be
            if any(node == MISSING for _, node in nodes(tree)):
                return None
            return plain(OmegaConf.create(tree))

        return tree

    @cached_property
    def _open(self) -> bool:
        """Whether there are references or missing values."""

        texts = [node for _, node in nodes(self.tree) if isinstance(node, str)]

        return any("${" in text or text == MISSING for text in texts)


def plain(config: DictConfig) -> dict[str, Any]:
    """Resolves a configuration into a plain dictionary."""

    root = OmegaConf.to_container(config, resolve=True)
    assert isinstance(root, dict)

    return {str(key): value for key, value in root.items()}


@contextmanager
def hydra_ready() -> Iterator[None]:
    """Readies Hydra's composition for conf/, and leaves no trace of it."""

    # Hydra 1.3 warns where version_base is missing, later ones where it is not.
    base = {"version_base": "1.3"} if hydra.__version__.startswith("1.3.") else {}

    GlobalHydra.instance().clear()
    with initialize_config_dir(str(CONF), job_name="isoexp", **base):
        yield


def search_path(folders: Sequence[Path]) -> list[str]:
    """Returns the override that has Hydra look into a user's folders too, if there are any."""

    quoted = ["'file://" + str(f.resolve()).replace("'", r"\'") + "'" for f in folders]

    return [f"hydra.searchpath=[{','.join(quoted)}]"] if quoted else []


@lru_cache(maxsize=4096)
def template(overrides: tuple[str, ...], files: Files) -> Template:
    """Composes choices, before anything is set."""

    whole, chosen = by_hydra(overrides, files)
    tree: Any = OmegaConf.to_container(whole, resolve=False)

    return Template(tree, chosen)


@lru_cache(maxsize=4096)
def mixed(overrides: tuple[str, ...], files: Files) -> Template:
    """Composes choices from what each makes of its own part, without all their combinations."""

    alone = _alone(files)
    others = tuple(text for text in overrides if text not in alone)
    try:
        # A choice in the place of one that says something of other parts is no part of its own.
        usual = template(others, files).choices
        own, whole = {}, []
        for text in overrides:
            group = parsed(text).key_or_group
            if text in alone and f"{group}={usual.get(group)}" in alone:
                own[group] = text
            else:
                whole.append(text)
        if len(own) + len(whole) == len(overrides):
            mixed = template(tuple(whole), files)
            for group, text in own.items():
                mixed = _with_part(mixed, group, template((*others, text), files))
            return mixed
    except (UserError, HydraException, OmegaConfBaseException):
        pass  # an override may need the choice that is left out

    return template(overrides, files)


def _with_part(template: Template, group: str, other: Template) -> Template:
    tree = {k: node for k, node in template.tree.items() if k != group or k in other.tree}
    if group in other.tree:
        tree[group] = other.tree[group]

    return Template(tree, {**template.choices, group: other.choices[group]})


@lru_cache(maxsize=16)
def _alone(files: Files) -> frozenset[str]:
    """Returns the choices, as overrides, whose files say nothing of other parts."""

    texts = {
        f"{group}={name}": path.read_text(encoding="utf-8", errors="replace")
        for group, found in choices(files.folders).items()
        for name, path in found.items()
    }
    if any(re.search(r"^ *- .*\$\{", text, re.MULTILINE) for text in texts.values()):
        return frozenset()  # a choice that follows another one, perhaps

    return frozenset(w for w, t in texts.items() if "defaults:" not in t and "@package" not in t)


def _set(tree: dict[str, Any], path: Sequence[str], value: Any) -> bool:
    """Sets a value in copies of the branches above it; returns whether there was one to set."""

    node: dict[str, Any] = tree
    for key in path[:-1]:
        inner = node.get(key)
        if not isinstance(inner, dict):
            return False
        node[key] = node = dict(inner)

    before = node.get(path[-1], node)
    if isinstance(before, dict) or (isinstance(before, str) and "${" in before):
        return False
    # However it is typed, 1 or 1.0, it is the same kind of number for all jobs of a sweep.
    real = isinstance(before, float) and type(value) is int and abs(value) < 2**53
    node[path[-1]] = float(value) if real else value

    return True


def by_hydra(overrides: Sequence[str], files: Files) -> tuple[DictConfig, dict[str, str]]:
    """Has Hydra compose; returns the whole without Hydra's own part, and the choices.

    Raises:
        HydraException, OmegaConfBaseException: If the overrides do not fit the configuration.
        UserError: If a file is no YAML, or a group has no choice that must have one.
    """

    try:
        with hydra_ready():
            every = [*overrides, *search_path(files.folders)]
            whole = hydra_compose("config", every, return_hydra_config=True)
    except (HydraException, OmegaConfBaseException):
        raise
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read a YAML file: {one_line(error)}") from error
    except (
        RecursionError,
        AssertionError,
        AttributeError,
        KeyError,
        TypeError,
        ValueError,
    ) as error:
        told = f"{type(error).__name__}: {one_line(error)[:200]}"
        raise UserError(f"Hydra cannot compose {' '.join(overrides)}: {told}") from error
    chosen: Any = OmegaConf.to_container(whole.hydra.runtime.choices)
    with open_dict(whole):
        del whole["hydra"]
    for group in GROUPS.values():
        if group.required and not whole.get(group.name):
            raise UserError(f"{group.name} may not be left out; isoexp list {group.name}")

    return whole, {
        str(k): str(v) for k, v in chosen.items() if v and not str(k).startswith("hydra/")
    }


def composition(
    overrides: Sequence[str],
    files: Files,
    composed: Callable[[tuple[str, ...], Files], Template] = template,
) -> Composition:
    """Composes a configuration from overrides that have been looked at by themselves.

    Raises:
        UserError: If they do not fit.
    """

    chosen, settings = split(overrides, files.groups)
    try:
        found = composed(tuple(chosen), files)
        cleared = [((key,), None) for key in _cleared(overrides, found.tree)]
        config = found.filled([*settings, *cleared])
        if config is not None:
            return Composition(config, found.choices, tuple(overrides))
    except (UserError, HydraException, OmegaConfBaseException):
        pass  # the whole of it, by Hydra, says what is wrong

    return _whole(overrides, files)


def _whole(overrides: Sequence[str], files: Files) -> Composition:
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
        raise UserError(explained(error, overrides, files)) from error


def _cleared(overrides: Sequence[str], config: Mapping[Any, Any]) -> list[str]:
    """Returns which of epochs and steps gives way: the typed one goes before that of a file."""

    typed = {text.lstrip("+").partition("=")[0] for text in overrides}

    return [
        other
        for one, other in (("epochs", "steps"), ("steps", "epochs"))
        if one in typed and other not in typed and config.get(other) is not None
    ]


def explained(error: Exception, overrides: Sequence[str], files: Files) -> str:
    """Says an error of Hydra's in one line, with the key that was probably meant."""

    chosen = [text for text in overrides if text.partition("=")[0].lstrip("+~") in files.groups]
    known: dict[str, Any] = {}
    if len(chosen) < len(overrides):
        try:
            whole = composition(chosen, files).config
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
