"""Composition: the words of a command line become configurations, or one clear line.

Hydra composes; its messages are for those who know its inside, so what a user can get wrong is
looked at here first.
"""

__all__ = ["Job", "compose", "expand", "hydra_ready", "search_path"]

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import hydra
from hydra import compose as hydra_compose
from hydra import initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Glob, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from ..choices import COMMANDS, CONF, groups, root_keys
from ..errors import UserError, did_you_mean

REQUIRED = (
    "activation", "model", "norm", "init", "dropout", "data", "optimizer", "schedule", "clip",
    "regularizer", "logger",
)  # fmt: skip


@dataclass(frozen=True)
class Job:
    """One composed configuration.

    Arguments:
        config: The configuration, without Hydra's own part.
        choices: The choice of each group that has one, as named on the command line.
        words: The settings as the user wrote them.
    """

    config: DictConfig
    choices: dict[str, str]
    words: tuple[str, ...]


def compose(words: Sequence[str], folders: Sequence[Path] = ()) -> Job:
    """Composes one configuration.

    Arguments:
        words: Settings: group=choice, key=value, +key=value, ~key.
        folders: Folders of the user's own choices, laid out like conf/.

    Raises:
        UserError: If the words do not fit the configuration.
    """

    _check(words, folders, sweep=False)
    with hydra_ready():
        return _compose(words, folders)


def expand(words: Sequence[str], folders: Sequence[Path] = ()) -> list[Job]:
    """Composes every configuration of a sweep: key=a,b and range, choice, glob, as Hydra's -m.

    Raises:
        UserError: If the words do not fit the configuration.
    """

    overrides = _check(words, folders, sweep=True)
    with hydra_ready():
        return [_compose(each, folders) for each in _product(overrides, folders)]


def _product(overrides: Sequence[Override], folders: Sequence[Path]) -> Iterator[list[str]]:
    """Yields the words of each job, the last key varying fastest."""

    jobs: list[list[str]] = [[]]
    known = groups(folders)

    for override in overrides:
        text = override.input_line or ""
        options = [text]
        if override.is_sweep_override():
            value: Any = override.value()
            if isinstance(value, Glob):
                values = value.filter(list(known.get(override.key_or_group, {})))
            elif override.is_discrete_sweep():
                values = list(override.sweep_string_iterator())
            else:
                raise UserError(f"{text} is for a search, not a sweep; list values: key=a,b")
            key = text.partition("=")[0]
            options = [f"{key}={value}" for value in values]
        jobs = [[*job, option] for job in jobs for option in options]

    if not jobs:
        raise UserError("the sweep has no jobs: a range or glob in it is empty")

    yield from jobs


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


def _compose(words: Sequence[str], folders: Sequence[Path]) -> Job:
    try:
        words_and_path = [*words, *search_path(folders)]
        whole = hydra_compose("config", words_and_path, return_hydra_config=True)
        chosen = OmegaConf.to_container(whole.hydra.runtime.choices)
        with open_dict(whole):
            del whole["hydra"]
        typed = {word.lstrip("+").partition("=")[0] for word in words}
        for one, other in (("epochs", "steps"), ("steps", "epochs")):
            if one in typed and other not in typed and whole.get(one) is not None:
                whole[other] = None  # what is typed goes before what a file says
        absent = [group for group in REQUIRED if not whole.get(group)]
        if absent:
            raise UserError(f"{absent[0]} may not be left out; isoexp list {absent[0]}")
        missing = sorted(OmegaConf.missing_keys(whole))
        if missing:
            raise UserError(f"{missing[0]} must be given: {missing[0]}=…")
        OmegaConf.to_container(whole, resolve=True)
    except (HydraException, OmegaConfBaseException) as error:
        raise UserError(_explain(error, words, folders)) from error
    except (YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"cannot read a YAML file: {' '.join(str(error).split())}") from error

    assert isinstance(chosen, dict)
    choices = {str(k): str(v) for k, v in chosen.items() if v and not str(k).startswith("hydra/")}

    return Job(whole, choices, tuple(words))


def _check(words: Sequence[str], folders: Sequence[Path], sweep: bool) -> list[Override]:
    """Looks at each word by itself: its form, its group and choice, its key."""

    known = groups(folders)
    top = [*root_keys(), *known]

    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"--config-dir must be a folder, got {folder}")

    for word in words:
        if "=" not in word and not word.startswith("~"):
            hint = f"isoexp {word} …, the command comes first" if word in COMMANDS else ""
            hint = hint or (f"{word}=…" if word in top else "settings are written key=value")
            near = "" if word in (*top, *COMMANDS) else did_you_mean(word, top)
            raise UserError(f"'{word}' is out of place: {hint}{near}")

    overrides = [_parse(word) for word in words]
    for override in overrides:
        text, key = override.input_line or "", override.key_or_group
        if not sweep and override.is_sweep_override():
            raise UserError(f"{text} lists several values: sweep with isoexp train -m {text}")
        if not sweep and key in ("hydra/launcher", "hydra/sweeper"):
            raise UserError(f"{key} is for sweeps: isoexp train -m {text}")
        if key in known:
            _check_choice(override, sorted(known[key]), sweep)
        elif key.partition(".")[0].partition("/")[0] not in [*top, "hydra"]:
            raise UserError(f"there is no setting {key}{did_you_mean(key, top)}")

    return overrides


def _parse(word: str) -> Override:
    try:
        (override,) = OverridesParser.create().parse_overrides([word])
    except (HydraException, OmegaConfBaseException) as error:
        first = str(error).splitlines()[0]
        raise UserError(f"cannot read {word}: {first}; quote special characters") from error

    return override


def _check_choice(override: Override, choices: list[str], sweep: bool) -> None:
    group = override.key_or_group
    value = override.value()

    if override.is_delete():
        return
    if override.is_sweep_override():
        if isinstance(value, Glob) or not override.is_discrete_sweep():
            return  # a glob can only match what there is
        wanted = [part for v in override.sweep_string_iterator() for part in _names(v)]
    elif isinstance(value, list) and group != "probe":
        raise UserError(f"{group} must be one choice, got {len(value)}: sweep with isoexp train -m")
    else:
        wanted = [str(v) for v in value] if isinstance(value, list) else [value]

    for name in wanted:
        if name is None and group not in REQUIRED:
            continue
        if not isinstance(name, str) or name not in choices:
            near = did_you_mean(str(name), choices)
            shown = "nothing" if name in ("", None) else name
            raise UserError(
                f"{group} must be one of its choices, got {shown}{near or '; '}"
                f"{'' if near else f'isoexp list {group} shows them'}"
            )


def _names(text: str) -> list[str]:
    """Splits the text of one value of a sweep, which may be a list of choices."""

    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]


def _explain(error: Exception, words: Sequence[str], folders: Sequence[Path]) -> str:
    """Returns a composition error in one line, with the key that was probably meant."""

    plain = [w for w in words if w.partition("=")[0].lstrip("+~") in groups(folders)]
    if len(plain) < len(words):
        try:
            known = _keys(_compose(plain, folders).config)
        except UserError:
            known = []
        for word in words:
            key = word.partition("=")[0]
            if word not in plain and known and not key.startswith("+") and key not in known:
                return _unknown(key.lstrip("~"), known)
            if key.startswith("model.") and key.partition(".")[2] in known:
                inner = key.partition(".")[2]
                return f"the model is handed its {inner.partition('.')[0]}: set {inner}=…"

    lines = [line.strip() for line in str(error).splitlines() if line.strip()]

    return lines[0] if lines else type(error).__name__


def _unknown(key: str, known: Sequence[str]) -> str:
    """Returns that there is no such setting, and which one is near, or which there are."""

    parent = key.rpartition(".")[0]
    siblings = [k for k in known if k.rpartition(".")[0] == parent and "._" not in k]
    near = did_you_mean(key, siblings) or did_you_mean(key, [k for k in known if "." in k])
    if not near:
        names = ", ".join(k.rpartition(".")[2] for k in siblings)
        near = f"; {parent} takes {names or 'none'}" if parent else ""

    return f"there is no setting {key}{near}"


def _keys(config: DictConfig) -> list[str]:
    """Returns the dotted keys of a configuration, of its branches too."""

    found = []

    def visit(node: Any, path: str) -> None:
        if path:
            found.append(path)
        if isinstance(node, dict):
            for key in node:
                visit(node[key], f"{path}.{key}" if path else str(key))

    visit(OmegaConf.to_container(config, resolve=True), "")

    return found
