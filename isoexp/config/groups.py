"""The groups of choices, one line each, and the files that conf/ has for them. No YAML is parsed.

conf/GROUP/NAME.yaml is what GROUP=NAME means. A group is added by a line in GROUPS, a folder under
conf/ and a module of the package.
"""

__all__ = [
    "COMMANDS", "CONF", "GROUPS", "Group", "choices", "counted", "counts", "defaults", "describe",
    "handed", "is_neutral", "keys", "root_keys",
]  # fmt: skip

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import UserError

COMMANDS = (
    "train", "search", "reproduce", "report", "probe", "list", "ls", "show", "figures", "audit",
    "completion",
)  # fmt: skip
"""The commands of isoexp."""

_PACKAGE = Path(__file__).parents[1]

CONF = next(
    c for c in (_PACKAGE / "conf", _PACKAGE.parent / "conf") if (c / "config.yaml").exists()
)
"""The folder of the configuration: inside an installed package, beside it in a checkout."""


@dataclass(frozen=True)
class Group:
    """A group of choices.

    Arguments:
        name: The key on the command line, and the folder under conf/.
        module: The part of isoexp that its targets are in; others need --allow.
        supplied: The arguments that isoexp gives to what is chosen, once it knows them.
        handed: Whether models are handed what is chosen, by this name or within `forms`.
        required: Whether a run must have a choice.
        counts: Whether the choice changes the numbers: it is hashed, and a column beside results.
        named: Whether the name of a run's folder says the choice though it is the default.
        symmetry: What `isoexp audit` measures it as; "" for nothing.
        neutral: Settings, `_target_` among them, at which a run is as if there were none: at these
            values they are left out of the identity, so that a setting that is added later changes
            the identity of no run before.
        own: The settings of every choice that isoexp keeps to itself, and what each may be: conf/
            config.yaml gives them, and no constructor sees them.
    """

    name: str
    module: str = ""
    supplied: tuple[str, ...] = ()
    handed: bool = False
    required: bool = True
    counts: bool = True
    named: bool = False
    symmetry: str = ""
    neutral: Mapping[str, Any] = field(default_factory=dict)
    own: Mapping[str, tuple[Any, ...]] = field(default_factory=dict)


_NOTHING = {"_target_": "torch.nn.Identity"}
_NO_CLIP = {"_target_": "isoexp.optimizers.NoClip"}
_NO_REGULARIZER = {"_target_": "isoexp.regularizers.NoRegularizer"}

_OF_DATA = {"split": ("fixed", "seed"), "items": (None, True, False)}

_TABLE = (
    Group("activation", "activations", ("width",), handed=True, named=True, symmetry="map"),
    Group("model", "models", ("inputs", "outputs", "forms"), named=True, neutral={"bias": True}),
    Group("norm", "norms", ("width",), handed=True, symmetry="map", neutral=_NOTHING),
    Group("init", "inits", handed=True, symmetry="init"),
    Group("dropout", "dropout", ("width",), handed=True, symmetry="map", neutral=_NOTHING),
    Group("data", "data", named=True, neutral={"split": "fixed"}, own=_OF_DATA),
    Group("optimizer", "optimizers", ("params",), symmetry="optimizer"),
    Group("schedule", "optimizers"),
    Group("clip", "optimizers", symmetry="clip", neutral=_NO_CLIP),
    Group("regularizer", "regularizers", symmetry="regularizer", neutral=_NO_REGULARIZER),
    Group("probe", "probes", required=False, counts=False),
    Group("logger", "store", counts=False),
    Group("experiment", required=False, counts=False),
    Group("claim", required=False, counts=False),
)

GROUPS: dict[str, Group] = {group.name: group for group in _TABLE}
"""Every group, in the order in which their choices stand beside results."""


ASIDE = frozenset({
    "name", "seeds", "device", "compile", "figures", "out", "force", "sweep", "search",
    "data.items",
})  # fmt: skip
"""The keys that do not change the numbers of one network."""

NEUTRAL = {"snapshots": 0}
"""The neutral settings among root keys, as Group.neutral."""


def counts(key: str) -> bool:
    """Whether a dotted key may change the numbers of a network."""

    root = key.partition(".")[0]

    return key not in ASIDE and (GROUPS[root].counts if root in GROUPS else root not in ASIDE)


def is_neutral(key: str, value: Any) -> bool:
    """Whether a setting is at the value at which a run is as if there were no such setting."""

    root, _, own = key.partition(".")
    known = GROUPS[root].neutral if own and root in GROUPS else NEUTRAL
    name = own if own and root in GROUPS else key

    return name in known and known[name] == value


def counted() -> list[str]:
    """Returns the groups whose choices stand beside every result."""

    return [group.name for group in GROUPS.values() if group.counts]


def handed() -> list[str]:
    """Returns the groups that models are handed."""

    return [group.name for group in GROUPS.values() if group.handed]


def choices(folders: Sequence[Path] = ()) -> dict[str, dict[str, Path]]:
    """Returns the file of each choice of each group, in conf/ and in folders of the user's own.

    Raises:
        UserError: If two files have one name: the reader could not know which is meant.
    """

    found: dict[str, dict[str, Path]] = {}
    for folder in (CONF, *folders):
        for path in sorted(path for path in folder.glob("*/*.yaml") if path.is_file()):
            files = found.setdefault(path.parent.name, {})
            if path.stem in files:
                raise UserError(f"{path} has the name of {files[path.stem]}: rename it")
            files[path.stem] = path

    return {group: dict(sorted(found[group].items())) for group in sorted(found)}


def describe(path: Path) -> str:
    """Returns the first comment of a file: the equation, or the choice in one line."""

    for line in _text(path).splitlines():
        if not line.startswith("#"):
            break
        if not line.startswith("# @package"):
            return line.removeprefix("#").strip()

    return ""


def root_keys() -> list[str]:
    """Returns the keys of config.yaml that are settings, not groups."""

    others = ("defaults", "hydra", *GROUPS)

    return [key for key in keys(CONF / "config.yaml") if key not in others]


def defaults() -> dict[str, str]:
    """Returns the choice that config.yaml makes for each group that has one by default."""

    return dict(re.findall(r"^  - (\w+): (\w+)", _text(CONF / "config.yaml"), re.MULTILINE))


def keys(path: Path) -> list[str]:
    """Returns the settings at the top level of a file, without those that begin with _."""

    return [k for k in re.findall(r"^(\w+):", _text(path), re.MULTILINE) if k[0] != "_"]


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")
