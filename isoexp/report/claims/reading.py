"""Reading what a file says: keys that are there, of the types that they should be, or one line."""

__all__ = ["filled", "words_of", "wrong"]

from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from ...errors import UserError, did_you_mean

KINDS: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
}
"""What values of simple types are, and what is said of others."""


def filled(cls: Any, node: Any, given: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns the fields of a dataclass from a node, checked to be there and of their types."""

    if not isinstance(node, Mapping):
        raise UserError(f"{where} must have keys of its own, got {node!r}")
    hints = {field.name: field.type for field in fields(cls) if field.default is MISSING}
    for key in node:
        if key not in hints:
            near = did_you_mean(str(key), hints) or f"; it has {', '.join(hints)}"
            raise UserError(f"{where}: there is no key {key}{near}")
    found = {**given, **node}
    for key, hint in hints.items():
        if key not in found:
            raise UserError(f"{where}: {key} may not be left out")
        value = found[key]
        kind, told = KINDS.get(hint, (object, ""))
        if told and (not isinstance(value, kind) or isinstance(value, bool) != (hint is bool)):
            raise UserError(f"{where}: {key} must be {told}, got {value!r}")

    return {key: found[key] for key in hints}


def words_of(node: Any, claim: str) -> list[str]:
    """Returns words of a command line, given in a list or as one text."""

    words = node.split() if isinstance(node, str) else node
    if not isinstance(words, Sequence) or not all(isinstance(word, str) for word in words):
        raise wrong(claim, "words", "like activation=tanh", node)

    return list(words)


def wrong(claim: str, key: str, told: str, given: Any) -> UserError:
    """Returns what is said of a value that cannot be."""

    return UserError(f"claim {claim}: {key} must be {told}, got {given!r}")
