"""Values against annotations: whether they fit, and the annotation in words."""

__all__ = ["checked", "describe_type", "fits"]

import types
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, Literal, TypeVar, Union, get_args, get_origin

from beartype import BeartypeConf
from beartype.door import is_bearable
from beartype.roar import BeartypeException

from ..errors import UserError, did_you_mean

_NUMBERS = BeartypeConf(is_pep484_tower=True)  # an int will do for a float

T = TypeVar("T")


def checked(cls: type[T], node: Any, name: str = "", **given: Any) -> T:
    """Builds a dataclass from a node of a configuration that has exactly its fields.

    Arguments:
        cls: The dataclass.
        node: The node.
        name: The dotted key of the node; "" for the root.
        given: Fields that are not settings, and their values.

    Raises:
        UserError: If a key is unknown, missing or of the wrong type.
    """

    hints = {field.name: field.type for field in fields(cls) if field.name not in given}  # pyright: ignore[reportArgumentType]
    if not isinstance(node, Mapping):
        raise UserError(f"{name} has settings of its own, {', '.join(hints)}; got {node!r}")

    dot = f"{name}." if name else ""
    for key, value in node.items():
        if key not in hints:
            near = did_you_mean(str(key), hints)
            near = near or (f"; it has {', '.join(hints)}" if name else "")
            raise UserError(f"there is no setting {dot}{key}{near}")
        if not fits(value, hints[key]):
            raise UserError(f"{dot}{key} must be {describe_type(hints[key])}, got {value!r}")
    for key in hints:
        if key not in node:
            raise UserError(f"{dot}{key} may not be left out; {dot}{key}=null where it may be null")

    return cls(**node, **given)


def fits(value: Any, hint: Any) -> bool:
    """Whether a value of a configuration fits an annotation; annotations unknown here fit all."""

    if isinstance(value, bool) and not _admits_bool(hint):
        return False  # Python takes True for 1; a user who writes true does not mean a number

    try:
        if not isinstance(value, list):
            return is_bearable(value, hint, conf=_NUMBERS)
        if any(get_origin(part) is tuple for part in (hint, *get_args(hint))):  # YAML has lists
            return is_bearable(tuple(value), hint, conf=_NUMBERS)
        # beartype looks at one item of a list, at random.
        return all(is_bearable([item], hint, conf=_NUMBERS) for item in value)
    except BeartypeException:
        return True


def describe_type(hint: Any) -> str:
    """Returns an annotation in words."""

    words = {int: "a whole number", float: "a number", bool: "true or false", str: "a text"}
    if hint in words:
        return words[hint]
    if hint is type(None):
        return "null"
    if get_origin(hint) in (Union, types.UnionType):
        plain = [part for part in get_args(hint) if getattr(part, "__name__", "") != "Tensor"]
        return " or ".join(map(describe_type, plain))
    if get_origin(hint) is Literal:
        return "one of " + ", ".join(map(str, get_args(hint)))
    if get_origin(hint) in (Sequence, list, tuple):
        inner = describe_type(get_args(hint)[0]).removeprefix("a ")
        return (
            f"a list of {inner}s, like [32,32]" if inner == "whole number" else f"a list: {inner}"
        )

    return getattr(hint, "__name__", str(hint))


def _admits_bool(hint: Any) -> bool:
    parts = get_args(hint) if get_origin(hint) in (Union, types.UnionType) else (hint,)

    return any(part in (bool, Any, object) for part in parts)
