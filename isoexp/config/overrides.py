"""Overrides: the words of a command line in Hydra's grammar, each by itself.

Hydra parses them; its messages are for those who know its inside, so mistakes are found here first.
"""

__all__ = [
    "Setting",
    "as_texts",
    "check_overrides",
    "length",
    "names_probe",
    "options",
    "parsed",
    "refuse_folders",
    "split",
]

import re
import shlex
from collections.abc import Collection, Iterable, Sequence
from fractions import Fraction
from functools import lru_cache
from math import ceil, inf
from pathlib import Path
from typing import Any

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import ChoiceSweep, Glob, Override, OverrideType, RangeSweep
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from ..errors import UserError, did_you_mean
from .document import DEEPEST
from .groups import COMMANDS, GROUPS, choices, root_keys
from .settings import check_runs

TEXTS = ("name", "out", "device", "data.root", "logger.project", "logger.entity")
"""The settings that are texts, whatever they look like."""

PLAIN = re.compile(r"[\w.+/~-]+(,[\w.+/~-]+)*")
"""One value, or several, without quotes and brackets."""

TYPED = re.compile(
    r"^[-+]?(\d|\.\d|(inf|nan|true|false|on|off|yes|no)$)|[^\x21-\x7d]", re.IGNORECASE
)
"""What Hydra takes for a number or a value, or not at all, as ~ and é; null stays nothing."""

FOLDERS = ("hydra.run.", "hydra.sweep.")
"""The keys that say where Hydra's own launchers put what they write."""

Setting = tuple[tuple[str, ...], Any]
"""The path of a value, and the value."""


def check_overrides(
    overrides: Sequence[str], folders: Sequence[Path], sweep: bool
) -> list[Override]:
    """Parses overrides, each looked at by itself.

    Arguments:
        overrides: The overrides, as typed.
        folders: Folders of the user's own choices.
        sweep: Whether one may list several values.

    Raises:
        UserError: If one is out of place, cannot be read, or names an unknown key or choice.
    """

    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"--config-dir must be a folder, got {folder}")

    known = choices(folders)
    top = [*root_keys(), *known]
    for text in overrides:
        if "=" not in text and not text.startswith("~"):
            hint = f"isoexp {text} …, the command comes first" if text in COMMANDS else ""
            hint = hint or (f"{text}=…" if text in top else "settings are written key=value")
            near = "" if text in (*top, *COMMANDS) else did_you_mean(text, top)
            raise UserError(f"'{text}' is out of place: {hint}{near}")

    found = [parsed(text) for text in overrides]
    for override in found:
        key = override.key_or_group
        root = key.partition(".")[0].partition("/")[0]
        _check_place(override, root, sweep, overrides)
        length(override)
        if key in known:
            _check_choice(override, sorted(known[key]), sweep)
        elif root not in [*top, "hydra"]:
            raise UserError(f"there is no setting {key}{did_you_mean(key, top)}")

    return found


def refuse_folders(overrides: Iterable[str]) -> None:
    """Refuses the folders that Hydra would put runs into: without its launchers it makes none.

    Raises:
        UserError: If there is one.
    """

    for text in overrides:
        if (key := text.lstrip("+~").partition("=")[0]).startswith(FOLDERS):
            raise UserError(
                f"{key} is no folder of isoexp: out=, name= and the settings name those"
            )


def as_texts(overrides: Iterable[str]) -> list[str]:
    """Quotes what is typed for a setting that is a text, where Hydra would take it for a number.

    A study may be called 1e3, 007 or 123E456, and is not runs/1000.0, runs/7 or runs/inf.
    """

    found = []
    for text in overrides:
        key, equals, value = text.partition("=")
        if equals and key.lstrip("+") in TEXTS and PLAIN.fullmatch(value):
            parts = (f"'{each}'" if TYPED.search(each) else each for each in value.split(","))
            text = f"{key}={','.join(parts)}"
        found.append(text)

    return found


def names_probe(override: str) -> bool:
    """Whether an override chooses probes, or sets one."""

    return override.lstrip("+~").startswith("probe")


def _check_place(override: Override, root: str, sweep: bool, every: Sequence[str]) -> None:
    """Checks that a command takes an override at all.

    Raises:
        UserError: If it is another command's, or lists values where there can be one.
    """

    text, key = override.input_line or "", override.key_or_group
    if not sweep and override.is_sweep_override():
        raise UserError(
            f"{text} lists several values: sweep with isoexp train -m {shlex.join(every)}"
        )
    if not sweep and (root == "sweep" or key in ("hydra/launcher", "hydra/sweeper")):
        raise UserError(f"{key} is for sweeps: isoexp train -m {shlex.quote(text)}")
    if not sweep and root == "search":
        raise UserError(f"{key} is for searches: isoexp search {shlex.quote(text)}")
    if root == "claim":
        name = text.partition("=")[2]
        raise UserError(f"a claim has runs of its own: isoexp reproduce {name}")
    if root in ("sweep", "search") and override.is_sweep_override():
        raise UserError(f"{key} is of the whole {root}: it has one value, got {text}")


@lru_cache(maxsize=2**16)
def parsed(text: str) -> Override:
    """Parses an override.

    Raises:
        UserError: If it cannot be read.
    """

    depth = deepest = 0
    for character in text:
        depth += (character in "[{(") - (character in ")}]")
        deepest = max(deepest, depth)
    if deepest > DEEPEST:
        raise UserError(f"cannot read {text[:50]}…: it is nested more than {DEEPEST} deep")
    try:
        (override,) = OverridesParser.create().parse_overrides([text])
    except (HydraException, OmegaConfBaseException) as error:
        first = str(error).splitlines()[0]
        first = "" if "Exception" in first or text in first else f" {first};"
        like = _quoted(text)
        told = f", for the shell too: {like}" if like else ""
        raise UserError(f"cannot read {text}:{first} quote special characters{told}") from error

    return override


def _quoted(text: str) -> str | None:
    """Returns an override as it is to be typed, if quotes are all that it lacks."""

    key, equals, value = text.partition("=")
    listed = value.startswith("[") and value.endswith("]")
    inner = (value[1:-1] if listed else value).replace('"', '\\"')
    if not equals or not inner or (not listed and any(c in value for c in "[](){}'\"")):
        return None
    whole = f'{key}=["{inner}"]' if listed else f'{key}="{inner}"'
    try:
        OverridesParser.create().parse_overrides([whole])
    except (HydraException, OmegaConfBaseException):
        return None

    return shlex.quote(whole)


def options(override: Override, choices: Iterable[str] = ()) -> list[str]:
    """Lists the overrides of one value each that a swept one means: key=a,b, range, choice, glob.

    Arguments:
        override: The swept override.
        choices: The choices of its group, for a glob to match.

    Raises:
        UserError: If its values cannot be listed.
    """

    text = override.input_line or ""
    if not override.is_sweep_override():
        return [text]

    length(override)
    value: Any = override.value()
    if isinstance(value, Glob):
        values = value.filter(list(choices))
    elif override.is_discrete_sweep():
        values = list(override.sweep_string_iterator())
    else:
        raise UserError(f"{text} is for isoexp search, not a sweep; list values: key=a,b")

    return [f"{text.partition('=')[0]}={value}" for value in values]


def length(override: Override) -> int:
    """Returns how many values an override has, none of which is listed for that; 1 of a glob.

    Raises:
        UserError: If a range has no end, or more values than can be planned.
    """

    value, text = override.value(), override.input_line or ""
    if isinstance(value, ChoiceSweep):
        return len(value.list)
    if not isinstance(value, RangeSweep):
        return 1
    ends = value.start, value.stop, value.step
    if not value.step or not all(n is not None and -inf < n < inf for n in ends):
        raise UserError(f"{text} must be a range of numbers, with a step that is not 0")
    start, stop, step = (Fraction(n or 0) for n in ends)
    count = max(0, ceil((stop - start) / step))
    check_runs(count, text)

    return count


@lru_cache(maxsize=2**16)
def _setting(text: str) -> Setting | None:
    """Returns the path and the value of an override that sets one plain value, else None."""

    override = parsed(text)
    key, value = override.key_or_group, override.value()
    if override.type is not OverrideType.CHANGE or override.package is not None:
        return None
    if "${" in text or "???" in text or not _is_plain(value):
        return None
    path = tuple(key.split("."))

    return None if path[0] == "hydra" or not all(map(str.isidentifier, path)) else (path, value)


def split(overrides: Sequence[str], groups: Collection[str]) -> tuple[Sequence[str], list[Setting]]:
    """Separates the overrides that need Hydra from those that only set a value."""

    chosen: list[str] = []
    settings: list[Setting] = []
    touched: set[str] = set()
    for text in overrides:
        found = _setting(text)
        if found is not None and ".".join(found[0]) not in groups:
            settings.append(found)
            continue
        chosen.append(text)
        key = parsed(text).key_or_group
        if key not in groups:
            touched.add(key.partition(".")[0])

    # Hydra sets in the order of the overrides: what touches the same part is left to it.
    if any(path[0] in touched for path, _ in settings):
        return overrides, []

    return chosen, settings


def _is_plain(value: Any) -> bool:
    if isinstance(value, list):
        return all(map(_is_plain, value))

    return value is None or isinstance(value, bool | int | float | str)


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
        if name is None and not (group in GROUPS and GROUPS[group].required):
            continue
        if not isinstance(name, str) or name not in choices:
            near = did_you_mean(str(name), choices)
            shown = "nothing" if name in ("", None) else name
            raise UserError(
                f"{group} must be one of its choices, got {shown}{near or '; '}"
                f"{'' if near else f'isoexp list {group} shows them'}"
            )


def _names(text: str) -> list[str]:
    """Splits one value of a sweep, which may be a list of choices."""

    return [part.strip() for part in text.strip("[]").split(",") if part.strip()]
