"""A configuration: a plain dictionary in which every reference is resolved.

Nobody changes one: the jobs of a sweep share what they have in common.
"""

__all__ = ["Config", "Path", "leaves", "nodes", "parse", "to_yaml", "value_at", "with_values"]

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
        UserError: If the text is no YAML, or no mapping.
    """

    try:
        found = yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        raise UserError(one_line(error)[:200]) from error
    if not isinstance(found, dict):
        raise UserError(f"a configuration has keys and values, got {text[:50]!r}")

    return {str(key): value for key, value in found.items()}


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
