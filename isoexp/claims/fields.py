"""The fields of a dataclass, read from a file: there, known and of their types, or one line why."""

__all__ = ["check_choice", "checked", "overrides", "wrong"]

from collections.abc import Collection, Mapping, Sequence
from dataclasses import MISSING, fields
from typing import Any

from ..errors import UserError, did_you_mean

KINDS: dict[Any, tuple[Any, str]] = {
    str: (str, "a text"),
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    float: ((int, float), "a number"),
}
"""The classes of values of a simple type, and its name for the reader."""


def checked(cls: Any, node: Any, defaults: Mapping[str, Any], where: str) -> dict[str, Any]:
    """Returns the fields of a dataclass that a node gives.

    Raises:
        UserError: If one is unknown, missing, or of another type.
    """

    if not isinstance(node, Mapping):
        raise UserError(f"{where} must have keys of its own, got {node!r}")
    hints = {field.name: field.type for field in fields(cls) if field.default is MISSING}
    for key in node:
        if key not in hints:
            near = did_you_mean(str(key), hints) or f"; it has {', '.join(hints)}"
            raise UserError(f"{where}: there is no key {key}{near}")
    found = {**defaults, **node}
    for key, hint in hints.items():
        if key not in found:
            raise UserError(f"{where}: {key} may not be left out")
        value = found[key]
        kind, told = KINDS.get(hint, (object, ""))
        if told and (not isinstance(value, kind) or isinstance(value, bool) != (hint is bool)):
            raise UserError(f"{where}: {key} must be {told}, got {value!r}")

    return {key: found[key] for key in hints}


def overrides(node: Any, claim: str) -> list[str]:
    """Returns the overrides that a node gives, in a list or as one text.

    Raises:
        UserError: If it gives something else.
    """

    found = node.split() if isinstance(node, str) else node
    if not isinstance(found, Sequence) or not all(isinstance(each, str) for each in found):
        raise wrong(claim, "overrides", "like activation=tanh", node)

    return list(found)


def check_choice(claim: str, key: str, choices: Collection[str], given: Any) -> None:
    """Checks that a value is one of several."""

    if given not in choices:
        raise wrong(claim, key, f"one of {', '.join(choices)}", given)


def wrong(claim: str, key: str, told: str, given: Any) -> UserError:
    """Returns the error of a key that must be something else than it is."""

    return UserError(f"claim {claim}: {key} must be {told}, got {given!r}")
