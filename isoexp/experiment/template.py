"""A template: a configuration before it is filled in, with values that may be set in copies.

What stands for another part, activation: ${activation}, is put in its place by hand; everything
else that OmegaConf can say is left to it.
"""

__all__ = ["Setting", "Template"]

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

Setting = tuple[tuple[str, ...], Any]
"""The path of a value, and the value."""

REFERENCE = re.compile(r"\$\{(\w+(?:\.\w+)*)\}")
MISSING = "???"
DEEP = 16
"""References that lead to references: more are taken for a circle."""


class Template:
    """A configuration whose values may be set.

    Arguments:
        tree: The configuration, with references.
        choices: The choice of each group that has one.
        resolve: Puts what is referred to in its place, where that is not plain.
    """

    def __init__(
        self,
        tree: Mapping[str, Any],
        choices: Mapping[str, str],
        resolve: Callable[[Mapping[str, Any]], dict[str, Any]],
    ) -> None:
        self.tree, self.choices, self._resolve = tree, choices, resolve

        leaves = list(_leaves(tree, ()))
        self._missing = {path for path, leaf in leaves if leaf == MISSING}
        self._references: dict[str, set[str]] = {key: set() for key in tree}
        self._plain = True
        for path, leaf in leaves:
            if isinstance(leaf, str) and "${" in leaf:
                match = REFERENCE.fullmatch(leaf)
                self._plain = self._plain and match is not None
                if match:
                    self._references[path[0]].add(match[1].partition(".")[0])
        self._filled: dict[str, Any] | None = None

    def with_part(self, key: str, other: "Template") -> "Template":
        """Returns this template with one of its parts, and the choice of it, as in another."""

        tree = {k: node for k, node in self.tree.items() if k != key or k in other.tree}
        if key in other.tree:
            tree[key] = other.tree[key]

        return Template(tree, {**self.choices, key: other.choices[key]}, self._resolve)

    def filled(self, settings: Sequence[Setting]) -> dict[str, Any] | None:
        """Returns the configuration with values set; None if one cannot be set in this manner."""

        tree = dict(self.tree)
        for path, value in settings:
            if not _set(tree, path, value):
                return None
        if self._missing - {path for path, _ in settings}:
            return None
        if not self._plain:
            return self._resolve(tree)

        changed = {path[0] for path, _ in settings}
        try:
            if self._filled is None and not self._missing:
                self._filled = {key: _put(node, self.tree) for key, node in self.tree.items()}
            if self._filled is None:
                return {key: _put(node, tree) for key, node in tree.items()}
            return {
                key: _put(tree[key], tree) if self._reaches(key, changed) else node
                for key, node in self._filled.items()
            }
        except LookupError:
            return None

    def _reaches(self, key: str, changed: set[str]) -> bool:
        """Whether a part is among the changed ones, or refers to one that is."""

        seen, left = set(), {key}
        while left:
            if left & changed:
                return True
            seen |= left
            left = set().union(*(self._references.get(each, ()) for each in left)) - seen

        return False


def _set(tree: dict[str, Any], path: Sequence[str], value: Any) -> bool:
    """Sets a value that is there in copies of the branches that lead to it; returns if it did."""

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


def _put(node: Any, tree: Mapping[str, Any], depth: int = 0) -> Any:
    """Returns a node with what it refers to in its place.

    Raises:
        LookupError: If there is no such thing, or only a circle.
    """

    if isinstance(node, dict):
        return {key: _put(value, tree, depth) for key, value in node.items()}
    if isinstance(node, list):
        return [_put(value, tree, depth) for value in node]
    if not isinstance(node, str) or "${" not in node:
        return node

    match = REFERENCE.fullmatch(node)
    if match is None or depth > DEEP:
        raise LookupError(node)
    found: Any = tree
    for key in match[1].split("."):
        if not isinstance(found, dict):
            raise LookupError(node)
        found = found[key]

    return _put(found, tree, depth + 1)


def _leaves(node: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields the path and the value of all that is not a branch."""

    if isinstance(node, Mapping):
        for key, value in node.items():
            yield from _leaves(value, (*path, str(key)))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _leaves(value, (*path, str(index)))
    else:
        yield path, node
