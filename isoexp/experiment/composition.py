"""Composition: the words of a command line become configurations, or one clear line.

Hydra composes once for each combination of choices; what only sets a value is set in a copy of
that, which is a thousand times as fast. Whatever is not plain goes through Hydra.
"""

__all__ = ["choice", "compose", "expand", "hydra_ready", "plain", "search_path"]

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
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

from ..choices import CONF, groups
from ..errors import UserError
from .configuration import Job
from .mistakes import explained
from .sweeping import Sweeping, kept, lines
from .template import Setting, Template
from .words import REQUIRED, check_words, options, parsed, setting


@dataclass(frozen=True)
class _Files:
    """What is composed from: conf/ and folders of the user's own, and what tells of a change."""

    folders: tuple[Path, ...]
    groups: frozenset[str]
    stamp: str

    @classmethod
    def of(cls, folders: Sequence[Path]) -> "_Files":
        own = [path for folder in folders for path in sorted(folder.rglob("*.yaml"))]
        files = [(str(path), path.stat()) for path in (*sorted(CONF.rglob("*.yaml")), *own)]
        stamp = repr([(name, stat.st_mtime_ns, stat.st_size) for name, stat in files])
        stamp = hashlib.blake2b(stamp.encode()).hexdigest()

        return cls(tuple(folders), frozenset(groups(folders)), stamp)


def compose(words: Sequence[str], folders: Sequence[Path] = ()) -> Job:
    """Composes one configuration.

    Arguments:
        words: Settings: group=choice, key=value, +key=value, ~key.
        folders: Folders of the user's own choices, laid out like conf/.

    Raises:
        UserError: If the words do not fit the configuration.
    """

    check_words(words, folders, sweep=False)

    return _job(words, _Files.of(folders))


def expand(words: Sequence[str], folders: Sequence[Path] = ()) -> list[Job]:
    """Composes every configuration of a sweep: key=a,b and range, choice, glob, as Hydra's -m.

    How values are combined, and which are not, is what sweep.zip, union and exclude say.

    Raises:
        UserError: If the words do not fit the configuration.
    """

    known, files = groups(folders), _Files.of(folders)

    overrides = check_words(words, folders, sweep=True)
    values = [options(each, known.get(each.key_or_group, ())) for each in overrides]
    sweeping = _sweeping([word for each in values for word in each[:1]], files)
    every = lines(words, folders, sweeping)
    chosen = {tuple(_split(line, files)[0]) for line in every}
    singly = {word for line in chosen for word in line}
    template = _mixed if len(singly) < len(chosen) else _template

    return kept([_job(line, files, template) for line in every], sweeping, known)


def choice(group: str, path: Path) -> dict[str, Any]:
    """Returns what the file of a choice says by itself.

    Raises:
        UserError: If it cannot be read.
    """

    try:
        return plain(OmegaConf.create({group: OmegaConf.load(path)}))[group]
    except (OmegaConfBaseException, YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read {path}: {' '.join(str(error).split())}") from error


def plain(config: DictConfig) -> dict[str, Any]:
    """Returns a configuration as a plain dictionary, with all that it refers to in its place."""

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
    """Returns the word that has Hydra look into a user's folders too, if there are any."""

    quoted = ["'file://" + str(f.resolve()).replace("'", r"\'") + "'" for f in folders]

    return [f"hydra.searchpath=[{','.join(quoted)}]"] if quoted else []


@lru_cache(maxsize=4096)
def _template(words: tuple[str, ...], files: _Files) -> Template:
    """Returns what words choose, before anything is set."""

    whole, choices = _hydra(words, files)
    tree: Any = OmegaConf.to_container(whole, resolve=False)

    return Template(tree, choices, lambda filled: plain(OmegaConf.create(dict(filled))))


@lru_cache(maxsize=4096)
def _mixed(words: tuple[str, ...], files: _Files) -> Template:
    """Returns the same from what each choice makes of its own part, composed without the others."""

    alone = _alone(files)
    own = {parsed(word).key_or_group: word for word in words if word in alone}
    others = tuple(word for word in words if word not in alone)
    try:
        mixed = _template(others, files)
        if len(own) + len(others) == len(words) and all(
            f"{group}={mixed.choices.get(group)}" in alone for group in own
        ):
            for group, word in own.items():
                mixed = mixed.with_part(group, _template((*others, word), files))
            return mixed
    except UserError:
        pass  # without its choice a word may say nothing

    return _template(words, files)


@lru_cache(maxsize=16)
def _alone(files: _Files) -> frozenset[str]:
    """Returns the choices, as words, whose files say nothing of other parts."""

    texts = {
        f"{group}={name}": path.read_text(encoding="utf-8", errors="replace")
        for group, choices in groups(files.folders).items()
        for name, path in choices.items()
    }
    if any(re.search(r"^ *- .*\$\{", text, re.MULTILINE) for text in texts.values()):
        return frozenset()  # a choice that follows another one, perhaps

    return frozenset(w for w, t in texts.items() if "defaults:" not in t and "@package" not in t)


Templates = Callable[[tuple[str, ...], _Files], Template]


def _job(words: Sequence[str], files: _Files, templates: Templates = _template) -> Job:
    """Composes a job: what is chosen, once for all jobs that choose it, then what is set."""

    chosen, settings = _split(words, files)
    try:
        template = templates(tuple(chosen), files)
        cleared = [((key,), None) for key in _cleared(words, template.tree)]
        config = template.filled([*settings, *cleared])
    except (UserError, OmegaConfBaseException):
        return _composed(words, files)  # which says what is wrong

    return Job(config, template.choices, tuple(words)) if config else _composed(words, files)


def _split(words: Sequence[str], files: _Files) -> tuple[Sequence[str], list[Setting]]:
    """Returns the words that Hydra is needed for, and what the others set."""

    chosen: list[str] = []
    settings: list[Setting] = []
    touched: set[str] = set()
    for word in words:
        found = setting(word)
        if found is not None and ".".join(found[0]) not in files.groups:
            settings.append(found)
            continue
        chosen.append(word)
        key = parsed(word).key_or_group
        if key not in files.groups:
            touched.add(key.partition(".")[0])

    # Hydra sets in the order of the words: what touches the same part is left to it.
    if any(path[0] in touched for path, _ in settings):
        return words, []

    return chosen, settings


def _composed(words: Sequence[str], files: _Files) -> Job:
    """Composes a job by Hydra alone."""

    whole, choices = _hydra(words, files)
    for key in _cleared(words, whole):
        whole[key] = None
    try:
        missing = sorted(OmegaConf.missing_keys(whole))
        if missing:
            raise UserError(f"{missing[0]} must be given: {missing[0]}=…")

        return Job(plain(whole), choices, tuple(words))
    except OmegaConfBaseException as error:
        raise UserError(_why(error, words, files)) from error


def _hydra(words: Sequence[str], files: _Files) -> tuple[DictConfig, dict[str, str]]:
    """Returns what Hydra makes of words, without its own part, and the choice of each group."""

    try:
        with hydra_ready():
            every = [*words, *search_path(files.folders)]
            whole = hydra_compose("config", every, return_hydra_config=True)
        chosen: Any = OmegaConf.to_container(whole.hydra.runtime.choices)
        with open_dict(whole):
            del whole["hydra"]
        absent = [group for group in REQUIRED if not whole.get(group)]
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_why(error, words, files)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read a YAML file: {' '.join(str(error).split())}") from error
    if absent:
        raise UserError(f"{absent[0]} may not be left out; isoexp list {absent[0]}")

    choices = {str(k): str(v) for k, v in chosen.items() if v and not str(k).startswith("hydra/")}

    return whole, choices


def _cleared(words: Sequence[str], config: Mapping[Any, Any]) -> list[str]:
    """Returns which of epochs and steps gives way: what is typed goes before what a file says."""

    typed = {word.lstrip("+").partition("=")[0] for word in words}

    return [
        other
        for one, other in (("epochs", "steps"), ("steps", "epochs"))
        if one in typed and other not in typed and config.get(other) is not None
    ]


def _sweeping(words: Sequence[str], files: _Files) -> Sweeping:
    """Returns how the jobs are combined and done, as words and a study's file say."""

    chosen, settings = _split(words, files)
    node = _template(tuple(chosen), files).tree.get("sweep")
    for path, value in settings:
        if path == ("sweep",):
            node = value
        elif path[0] == "sweep" and isinstance(node, Mapping):
            node = {**node, ".".join(path[1:]): value}

    return Sweeping.of(node)


def _why(error: Exception, words: Sequence[str], files: _Files) -> str:
    return explained(error, words, files.groups, lambda chosen: _job(chosen, files).config)
