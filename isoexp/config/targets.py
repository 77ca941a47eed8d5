"""Targets: the classes and functions that a configuration, which is data, may name.

Those of isoexp's laboratory, network modules and optimizers of torch and torchvision, tensor
functions of torch (as profiles), optimizers of pytorch_optimizer, and anything in the packages that
the user allows with --allow.
"""

__all__ = ["resolve", "sources"]

import hashlib
import importlib
import inspect
import types
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import UserError, did_you_mean, one_line
from .allowed import allowed, require_allowed
from .groups import GROUPS


def resolve(path: str, target: Any) -> Any:
    """Returns what a dotted name stands for, if a configuration may name it."""

    where = f"{path}._target_"
    if not isinstance(target, str) or "." not in target:
        raise UserError(f"{where} must be a dotted name like isoexp.models.MLP, got {target!r}")

    root = target.partition(".")[0]
    if root not in ("isoexp", "torch", "torchvision", "pytorch_optimizer"):
        require_allowed(root, f"{where} names {target}")

    found = _import(where, target)
    if root in allowed():
        return found
    if not _harmless(root, target, found):
        raise UserError(
            f"{where} must name a part of isoexp, a module or optimizer of torch, got {target}"
        )

    return found


def _import(where: str, target: str) -> Any:
    """Imports the longest module of a dotted name, then follows the rest inside its package."""

    parts = target.split(".")
    try:
        found: Any = importlib.import_module(parts[0])
    except ImportError as error:
        hint = "; pip install isoexp[optimizers]" if parts[0] == "pytorch_optimizer" else ""
        raise UserError(f"{where} names {target}: {error}{hint}") from error
    except (Exception, SystemExit) as error:
        raise _unimported(where, target, error) from error

    for i, part in enumerate(parts[1:], start=1):
        if isinstance(found, types.ModuleType) and not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[: i + 1]))
            except ModuleNotFoundError as error:
                if error.name != ".".join(parts[: i + 1]):
                    raise UserError(f"{where} names {target}: {error}") from error
            except (Exception, SystemExit) as error:
                raise _unimported(where, target, error) from error
        if not hasattr(found, part):
            near = did_you_mean(part, [n for n in dir(found) if n[0] != "_"])
            raise UserError(
                f"{where} names {target}, but {'.'.join(parts[:i])} has no {part}{near}"
            )
        found = getattr(found, part)
        # torch.os is a way out of torch.
        if isinstance(found, types.ModuleType) and found.__name__.partition(".")[0] != parts[0]:
            raise UserError(f"{where} must name a part of {parts[0]}, got {target}")

    if not callable(found):
        raise UserError(f"{where} must name a class or a function, got {target}")

    return found


def _unimported(where: str, target: str, error: BaseException) -> UserError:
    reason = f"{type(error).__name__}: {one_line(error)}"

    return UserError(f"{where} names {target}, which fails to import: {reason}")


def _laboratory() -> set[str]:
    return {"stochastic", *(group.module for group in GROUPS.values())}


def _harmless(root: str, target: str, found: Any) -> bool:
    """Whether one of the packages that need no --allow may be entered at this name."""

    home = str(getattr(found, "__module__", None)).partition(".")[0]
    if root == "isoexp":
        return target.split(".")[1] in _laboratory() and home == "isoexp"

    import torch

    if isinstance(found, type):
        modules = () if root == "pytorch_optimizer" else (torch.nn.Module,)
        return home == root and issubclass(found, (*modules, torch.optim.Optimizer))
    if root != "torch":
        return False  # its functions download and unpickle

    # A profile: torch.tanh, torch.nn.functional.gelu. Functions of tensors, so not torch.load.
    functions = torch.overrides.get_overridable_functions()
    return any(found is function for each in functions.values() for function in each)


def sources(named: Mapping[str, str]) -> dict[str, str]:
    """Returns a hash of the source of each class from outside isoexp, torch and torchvision.

    Arguments:
        named: The targets, and the key of a node that names each, as from `targets`.
    """

    found = {}
    for target, path in named.items():
        if target.partition(".")[0] not in ("isoexp", "torch", "torchvision"):
            try:
                file = inspect.getsourcefile(inspect.unwrap(resolve(path, target)))
            except TypeError:  # written in C
                file = None
            content = Path(file).read_bytes() if file else b""
            found[target] = hashlib.blake2b(content, digest_size=8).hexdigest()

    return found
