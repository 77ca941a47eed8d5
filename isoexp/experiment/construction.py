"""Construction: a checked configuration becomes objects.

A configuration is data. What it may name by `_target_` are classes and functions of isoexp's
laboratory, network modules and optimizers of torch and torchvision, tensor functions of torch (as
profiles), optimizers of pytorch_optimizer, and whatever is in the packages that the user allows
with --allow.
"""

__all__ = ["allow", "build", "check", "sources", "targets"]

import hashlib
import importlib
import inspect
import types
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

from ..allowed import allow, allowed, require_allowed
from ..errors import UserError, did_you_mean
from .configuration import Config
from .settings import describe_type, fits

MARKS = ("_target_", "_partial_")
"""The keys of a node that are not arguments."""

LABORATORY = (
    "activations", "models", "norms", "inits", "dropout", "stochastic", "optimizers",
    "regularizers", "data", "probes", "tracking",
)  # fmt: skip
SUPPLIED = {
    "activation": ("width",),
    "norm": ("width",),
    "dropout": ("width",),
    "model": ("inputs", "outputs"),
    "optimizer": ("params",),
}
"""What the package itself gives to the constructors of a group."""


def check(config: Config) -> None:
    """Checks every `_target_` of a configuration and the arguments given to it.

    Raises:
        UserError: If one may not be named, does not exist, or does not take its arguments.
    """

    for path, node in _targets(config, ""):
        _check_arguments(path, node, _resolve(path, node["_target_"]))


def build(config: Config, group: str) -> Any:
    """Builds the object of a group, or a partial function of what the package supplies.

    Raises:
        UserError: If the constructor refuses its arguments.
    """

    try:
        return _build(group, config[group])
    except UserError:
        raise
    except (ValueError, TypeError, OSError) as error:
        raise UserError(f"{group}: {' '.join(str(error).split())}") from error


def targets(config: Config) -> dict[str, str]:
    """Returns what a configuration names by `_target_`, and the key of one node that does."""

    return {str(node["_target_"]): path for path, node in _targets(config, "")}


def sources(named: Mapping[str, str]) -> dict[str, str]:
    """Returns a hash of the source of each class from outside isoexp, torch and torchvision.

    Arguments:
        named: What `targets` returned.
    """

    found = {}
    for target, path in named.items():
        if target.partition(".")[0] not in ("isoexp", "torch", "torchvision"):
            try:
                file = inspect.getsourcefile(inspect.unwrap(_resolve(path, target)))
            except TypeError:  # written in C
                file = None
            content = Path(file).read_bytes() if file else b""
            found[target] = hashlib.blake2b(content, digest_size=8).hexdigest()

    return found


def _build(path: str, node: Any) -> Any:
    """Builds what a node names, arguments first. Not Hydra's: what is built is what was checked."""

    if isinstance(node, list):
        return [_build(f"{path}.{index}", value) for index, value in enumerate(node)]
    if not isinstance(node, dict):
        return node

    arguments = {k: _build(f"{path}.{k}", v) for k, v in node.items() if k not in MARKS}
    if "_target_" not in node:
        return arguments

    target = _resolve(path, node["_target_"])
    if node.get("_partial_"):
        return partial(target, **arguments)
    try:
        return target(**arguments)
    except (ValueError, TypeError, OSError) as error:
        raise UserError(f"{path}: {' '.join(str(error).split())}") from error


def _targets(node: Any, path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the dotted key of each node that names a target, outer ones first."""

    if isinstance(node, Mapping):
        if "_target_" in node:
            yield path, node
        for key, value in node.items():
            yield from _targets(value, f"{path}.{key}" if path else str(key))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _targets(value, f"{path}.{index}")


def _resolve(path: str, target: Any) -> Any:
    """Returns what a dotted name stands for, if a configuration may name it."""

    where = f"{path}._target_"
    if not isinstance(target, str) or "." not in target:
        raise UserError(f"{where} must be a dotted name like isoexp.models.MLP, got {target!r}")

    root = target.partition(".")[0]
    if root not in ("isoexp", "torch", "torchvision", "pytorch_optimizer"):
        require_allowed(root, f"{where} names {target}")

    found = _locate(where, target)
    if root in allowed():
        return found
    if not _harmless(root, target, found):
        raise UserError(
            f"{where} must name a part of isoexp, a module or optimizer of torch, got {target}"
        )

    return found


def _locate(where: str, target: str) -> Any:
    """Imports the longest module of a dotted name, then follows the rest inside its package."""

    parts = target.split(".")
    try:
        found: Any = importlib.import_module(parts[0])
    except ImportError as error:
        hint = "; pip install isoexp[optimizers]" if parts[0] == "pytorch_optimizer" else ""
        raise UserError(f"{where} names {target}: {error}{hint}") from error
    except (Exception, SystemExit) as error:
        raise UserError(f"{where} names {target}, which fails to import: {error!r}") from error

    for i, part in enumerate(parts[1:], start=1):
        if isinstance(found, types.ModuleType) and not hasattr(found, part):
            try:
                importlib.import_module(".".join(parts[: i + 1]))
            except ModuleNotFoundError as error:
                if error.name != ".".join(parts[: i + 1]):
                    raise UserError(f"{where} names {target}: {error}") from error
            except Exception as error:
                raise UserError(
                    f"{where} names {target}, which fails to import: {error}"
                ) from error
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


def _harmless(root: str, target: str, found: Any) -> bool:
    """Whether one of the packages that need no --allow may be entered at this name."""

    home = str(getattr(found, "__module__", None)).partition(".")[0]
    if root == "isoexp":
        return target.split(".")[1] in LABORATORY and home == "isoexp"

    import torch

    if isinstance(found, type):
        modules = () if root == "pytorch_optimizer" else (torch.nn.Module,)
        return home == root and issubclass(found, (*modules, torch.optim.Optimizer))
    if root != "torch":
        return False  # its functions download and unpickle

    # A profile: torch.tanh, torch.nn.functional.gelu. Functions of tensors, so not torch.load.
    functions = torch.overrides.get_overridable_functions()
    return any(found is function for each in functions.values() for function in each)


def _check_arguments(path: str, node: Mapping[str, Any], target: Any) -> None:
    """Checks the names and plain values of arguments against a signature."""

    try:
        signature = inspect.signature(target)
    except (TypeError, ValueError):
        return  # builtins such as torch.tanh tell nothing

    parameters = signature.parameters
    supplied = SUPPLIED.get(path, ())
    open_ended = any(p.kind is p.VAR_KEYWORD for p in parameters.values())

    first = tuple(parameters)[: len(supplied)]
    if path in ("activation", "dropout", "model") and not open_ended and first != supplied:
        raise UserError(
            f"{path} must take {', '.join(supplied)} first; {node['_target_']} takes "
            f"{', '.join(first) or 'nothing'}: wrap it in a class of your own"
        )

    known = [name for name in parameters if name not in supplied]
    for key, value in node.items():
        if key in MARKS:
            continue
        if key not in known and not open_ended:
            near = did_you_mean(key, known)
            raise UserError(f"there is no setting {path}.{key}{near or _takes(path, known)}")
        if key in parameters and _plain(value):
            hint = parameters[key].annotation
            if hint is not inspect.Parameter.empty and not fits(value, hint):
                raise UserError(f"{path}.{key} must be {describe_type(hint)}, got {value!r}")

    for name, p in parameters.items():
        given = name in node or name in supplied or node.get("_partial_")
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and not given:
            if any(name in names for names in SUPPLIED.values()):
                raise UserError(f"{path} needs _partial_: true: isoexp itself gives it {name}")
            raise UserError(f"{path}.{name} must be given: {path}.{name}=…")


def _takes(path: str, known: list[str]) -> str:
    return f"; {path} takes {', '.join(known)}" if known else f"; {path} takes none"


def _plain(value: Any) -> bool:
    """Whether a value is written out, not built from a target of its own."""

    if isinstance(value, list):
        return all(map(_plain, value))

    return not isinstance(value, dict)
