"""The real settings in which objects that are built alike differ.

An object is its class and its parts: the attributes of a module or of a plain object, the items of
a list or a dict, the arguments of a partial function, the variables that a function closes over.
Parameters and buffers are no settings.
"""

__all__ = ["Difference", "differences", "module_differences"]

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from types import FunctionType, MethodType
from typing import Any

import torch
from torch import Tensor, nn

INTERNAL = frozenset(vars(nn.Module()))
"""The attributes of every module of PyTorch: weights and buffers, hooks, the mode."""


@dataclass(frozen=True)
class Difference:
    """A real setting that objects do not share, by its place as Python would write it.

    The owner is the part of the first object that has it, by a name or an index.
    """

    path: str
    owner: Any
    key: Any
    values: tuple[float, ...]

    def put(self, value: Any) -> None:
        """Sets the first object's value; raises ValueError if the owner is of one piece."""

        if isinstance(self.owner, dict | list):
            self.owner[self.key] = value
        elif isinstance(self.owner, tuple | FunctionType):
            raise ValueError(f"{self.path} must be the same in all: it cannot be set by itself")
        else:
            object.__setattr__(self.owner, self.key, value)  # of a frozen dataclass, too


def differences(objects: Sequence[Any]) -> list[Difference]:
    """Returns the real settings in which objects differ; raises ValueError if others differ."""

    return list(_visit("", None, None, objects, set()))


def module_differences(networks: Sequence[nn.Module]) -> dict[str, Difference]:
    """Returns the real attributes of modules in which networks differ, by path in the first.

    Raises ValueError if they differ in anything else.
    """

    paths = {module: path for path, module in networks[0].named_modules()}

    found = {}
    for difference in differences(networks) if len(networks) > 1 else ():
        module = difference.owner
        if not (isinstance(module, nn.Module) and module in paths):
            raise ValueError(
                f"{difference.path} must be the same in all: only settings that are attributes "
                "of modules may differ between networks trained as one"
            )
        found[f"{paths[module]}.{difference.key}".removeprefix(".")] = difference

    return found


def _visit(
    path: str, owner: Any, key: Any, values: Sequence[Any], seen: set[tuple[int, ...]]
) -> Iterator[Difference]:
    first = values[0]
    if all(value is first for value in values):
        return
    if all(type(value) in (int, float) for value in values):
        if any(value != first for value in values):
            if all(type(value) is int for value in values):
                _refuse(path, values)
            yield Difference(path, owner, key, tuple(values))
        return
    if any(type(value) is not type(first) for value in values):
        _refuse(path, [type(value).__name__ for value in values])

    ids = tuple(map(id, values))
    if ids in seen:
        return
    seen.add(ids)

    parts = [found for value in values if (found := _parts(value)) is not None]
    if not parts:
        if not all(_equal(value, first) for value in values):
            _refuse(path, values)
        return
    if any(part.keys() != parts[0].keys() for part in parts):
        _refuse(path, [sorted(map(str, part)) for part in parts])
    inside = first.keywords if isinstance(first, partial) else first
    for name in parts[0]:
        where = f"{path}.{name}".removeprefix(".")
        yield from _visit(where, inside, name, [part[name] for part in parts], seen)


def _parts(value: Any) -> dict[Any, Any] | None:
    """Returns the parts of a value by name; None if it is of one piece."""

    if isinstance(value, nn.Module):
        own = {name: part for name, part in vars(value).items() if name not in INTERNAL}
        return {**own, **dict(value.named_children())}
    if isinstance(value, Mapping):
        return dict(value)
    if isinstance(value, list | tuple):
        return dict(enumerate(value))
    if isinstance(value, partial):
        return {"func": value.func, **dict(enumerate(value.args)), **value.keywords}
    if isinstance(value, MethodType):
        return {"function": value.__func__, "self": value.__self__}
    if isinstance(value, FunctionType):
        cells = [cell.cell_contents for cell in value.__closure__ or ()]
        defaults = [value.__defaults__, value.__kwdefaults__]
        return {"code": value.__code__, **dict(enumerate(cells + defaults))}
    if isinstance(value, type | Tensor):
        return None

    return getattr(value, "__dict__", None)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, nn.Parameter):  # of a module, which keeps it a second time
        return a.shape == b.shape
    if isinstance(a, Tensor):
        return torch.equal(a, b)
    same = a == b

    return same if isinstance(same, bool) else bool(same.all())  # of an array


def _refuse(path: str, values: Sequence[Any]) -> None:
    other = next(value for value in values if not _equal(value, values[0]))
    raise ValueError(
        f"networks trained as one may differ in real settings only; of {path or 'them'} there are "
        f"{values[0]} and {other}"
    )
