"""A configuration: a plain dictionary in which every reference is resolved.

Nobody changes one: the jobs of a sweep share what they have in common.
"""

__all__ = [
    "DEEPEST",
    "Config",
    "Path",
    "leaves",
    "nodes",
    "parse",
    "to_yaml",
    "value_at",
    "with_values",
]

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import yaml

from ..errors import UserError, one_line

Config = Mapping[str, Any]

Path = tuple[str | int, ...]
"""The keys and indices that lead to a node: ("optimizer", "betas", 0)."""

# libyaml's, where PyYAML has been built with it, are ten times as fast.
SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
SafeDumper: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)

DEEPEST = 50
"""Configurations are nested no deeper: what walks them calls itself."""

MOST = 100_000
"""Configurations have no more values, aliases written out."""

FLOAT = re.compile(
    r"[-+]?[0-9][0-9_]*\.[0-9_]*([eE][-+]?[0-9]+)?|[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+"
    r"|\.[0-9][0-9_]*([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)"
)
"""Real numbers, 1e-3 among them, which YAML 1.1 takes for a text."""


class _Loader(SafeLoader):
    """Reads configurations."""


class _Dumper(SafeDumper):
    """Writes configurations, each part in full wherever it stands."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


for each in (_Loader, _Dumper):
    each.add_implicit_resolver(
        "tag:yaml.org,2002:float", re.compile(f"^(?:{FLOAT.pattern})$"), list("-+0123456789.")
    )


def to_yaml(config: Config) -> str:
    """Returns a configuration as YAML."""

    return yaml.dump(
        dict(config), Dumper=_Dumper, default_flow_style=False, allow_unicode=True, sort_keys=False
    )


def parse(text: str) -> dict[str, Any]:
    """Reads a configuration from YAML.

    Raises:
        UserError: If the text is no YAML, or no mapping; if it is nested deeper than DEEPEST or has
            more than MOST values, its aliases written out; if a key is no text.
    """

    try:
        _check_size(text)
        root = yaml.compose(text, Loader=_Loader)
        if root is not None:
            _check_keys(root)
        found = yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"line {mark.line + 1}: " if mark else ""
        raise UserError(f"{where}{error.problem or error.context}") from error
    except (yaml.YAMLError, ValueError) as error:  # characters that cannot be, or no such number
        raise error if isinstance(error, UserError) else UserError(one_line(error)[:200]) from error
    if not isinstance(found, dict):
        shown = " ".join(text.split())[:50] or "nothing"
        raise UserError(f"a configuration has keys and values, got {shown}")

    return found


def _check_size(text: str) -> None:
    """Checks depth and number of the values, aliases written out, before any of them is made."""

    open_: list[str | None] = []  # the anchors of the nodes that an event is within
    sizes: dict[str | None, int] = {}
    counts = [0]
    for event in yaml.parse(text, Loader=_Loader):
        where = f"line {event.start_mark.line + 1}: "
        if isinstance(event, yaml.CollectionStartEvent):
            open_.append(event.anchor)
            counts.append(1)
            if len(open_) > DEEPEST:
                raise UserError(f"{where}it is nested more than {DEEPEST} deep")
        elif isinstance(event, yaml.CollectionEndEvent):
            size = counts.pop()
            sizes[open_.pop()] = size
            counts[-1] += size
        elif isinstance(event, yaml.AliasEvent):
            if event.anchor in open_:
                raise UserError(f"{where}*{event.anchor} is a part of itself")
            counts[-1] += sizes.get(event.anchor, 1)
        elif isinstance(event, yaml.ScalarEvent):
            sizes[event.anchor] = 1
            counts[-1] += 1
        if counts[-1] > MOST:
            raise UserError(f"{where}it has more than {MOST:,} values")


def _check_keys(node: yaml.Node) -> None:
    """Checks that all keys are texts; YAML takes 1, true, yes, on and null for something else."""

    if isinstance(node, yaml.SequenceNode):
        for each in node.value:
            _check_keys(each)
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.tag not in ("tag:yaml.org,2002:str", "tag:yaml.org,2002:merge"):
                shown = key.value if isinstance(key, yaml.ScalarNode) else "a list or a mapping"
                where = f"line {key.start_mark.line + 1}: "
                raise UserError(f"{where}a key must be a text, got {shown}: quote it")
            _check_keys(value)


def nodes(node: Any, path: Path = ()) -> Iterator[tuple[Path, Any]]:
    """Yields every node of a configuration and the path to it, outer nodes first."""

    if path:
        yield path, node
    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from nodes(value, (*path, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from nodes(value, (*path, index))


def leaves(config: Config, above: str = "") -> Iterator[tuple[str, Any]]:
    """Yields the dotted key and the value of each setting; a list is one value."""

    for key, value in config.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{above}{key}.")
        else:
            yield f"{above}{key}", value


def value_at(config: Config, key: str) -> Any:
    """Returns the value of a dotted key.

    Raises:
        KeyError: If there is none.
    """

    node: Any = config
    for part in key.split("."):
        if not isinstance(node, Mapping):
            raise KeyError(key)
        node = node[part]

    return node


def with_values(config: Config, values: Mapping[Path, Any]) -> Config:
    """Returns a configuration with some values replaced, in copies of the branches above them."""

    changed: Any = config
    for path, value in values.items():
        changed = _replaced(changed, path, value)

    return changed


def _replaced(node: Any, path: Sequence[str | int], value: Any) -> Any:
    if not path:
        return value
    key: Any = path[0]
    copy: Any = list(node) if isinstance(node, list) else dict(node)
    copy[key] = _replaced(node[key], path[1:], value)

    return copy
