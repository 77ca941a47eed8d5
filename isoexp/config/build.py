"""Building: a checked configuration becomes objects."""

__all__ = [
    "MARKS", "build", "check", "check_arguments", "own_settings", "takes", "targets",
    "with_targets",
]  # fmt: skip

import inspect
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from ..errors import UserError, blamed, did_you_mean
from .document import Config, nodes, with_values
from .fields import describe_type, fits
from .groups import GROUPS, handed
from .targets import resolve

MARKS = ("_target_", "_partial_")
"""The keys of a node that are not arguments."""


def check(config: Config) -> None:
    """Checks every `_target_` of a configuration and the arguments given to it.

    Raises:
        UserError: If a part has none, or one may not be named, does not exist, or does not take its
            arguments.
    """

    for path, node in _parts(config):
        if not isinstance(node, Mapping) or "_target_" not in node:
            given = list(node) if isinstance(node, Mapping) else node
            what = f"probe=[{path[1]}]" if path[1:] else f"{path[0]}=…"
            told = f"must be chosen, {what}, or have a _target_; got {given or 'nothing'}"
            raise UserError(f"{'.'.join(path)} {told}")
    for path, node in _targets(config):
        check_arguments(path, node, resolve(path, node["_target_"]))
    for group in GROUPS.keys() & config.keys():
        own_settings(config, group)


def _parts(config: Config) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yields the path and the node of each part that is to be built."""

    for key, node in config.items():
        if key == "probe" and isinstance(node, Mapping):
            yield from (((key, str(name)), each) for name, each in node.items())
        elif key in GROUPS and GROUPS[key].module and (node or GROUPS[key].required):
            yield (key,), node


def build(config: Config, group: str) -> Any:
    """Builds the choice of a group, once isoexp has given it what the group is supplied with.

    Without anything to supply the object itself is built; else a partial function of that. A model
    is given what its constructor takes, by name: inputs, outputs, forms, and any group that models
    are handed.

    Raises:
        UserError: If the constructor refuses its arguments.
    """

    node = config[group]
    with blamed(group):
        if "_target_" not in node:
            return _build(group, node)
        target = resolve(group, node["_target_"])
        aside = {*MARKS, *GROUPS[group].own}
        arguments = {k: _build(f"{group}.{k}", v) for k, v in node.items() if k not in aside}
        if not GROUPS[group].supplied and not node.get("_partial_"):
            return target(**arguments)
        if group == "model":
            named = _parameters(target)
            wanted = [each for each in handed() if each in named and config.get(each)]
            arguments |= {each: build(config, each) for each in wanted}
        return partial(target, **arguments)


def own_settings(config: Config, group: str) -> dict[str, Any]:
    """Returns the settings of a choice that isoexp keeps to itself; the first value if not said.

    Raises:
        UserError: If a value is none of those that it may be.
    """

    found = {}
    for key, values in GROUPS[group].own.items():
        found[key] = value = config[group].get(key, values[0])
        if not any(value is each or (isinstance(each, str) and value == each) for each in values):
            told = " or ".join(each if isinstance(each, str) else _word(each) for each in values)
            raise UserError(f"{group}.{key} must be {told}, got {value!r}")

    return found


def _word(value: bool | None) -> str:
    return "null" if value is None else str(value).lower()


def takes(constructor: Any) -> set[str]:
    """Returns the names of the arguments that a constructor takes, or a partial one still does."""

    if isinstance(constructor, partial):
        return set(_parameters(constructor.func)) - set(constructor.keywords)

    return set(_parameters(constructor))


def targets(config: Config) -> dict[str, str]:
    """Returns the `_target_`s of a configuration, and the key of one node that names each."""

    return {str(node["_target_"]): path for path, node in _targets(config)}


def with_targets(config: Config, overrides: Iterable[str]) -> Config:
    """Drops the settings of a choice that a `_target_` of the user's own does not take.

    After model=mlp and model._target_=mylab.Net, the widths of mlp.yaml are no setting of Net; nor
    are the settings of a probe that was not chosen.
    Settings that were typed stay, to be refused.

    Raises:
        UserError: If a target may not be named, or does not exist.
    """

    typed = {text.lstrip("+~").partition("=")[0] for text in overrides}
    probes = config.get("probe")
    if isinstance(probes, Mapping):  # a study's file may set a probe that its user does not choose
        kept = {
            name: node
            for name, node in probes.items()
            if not isinstance(node, Mapping)
            or "_target_" in node
            or any(key.startswith(f"probe.{name}") for key in typed)
        }
        config = config if kept.keys() == probes.keys() else {**config, "probe": kept}
    for key in sorted(typed):
        path = tuple(key.split("."))
        if path[-1] != "_target_" or len(path) < 2:
            continue
        node = dict(nodes(config)).get(path[:-1])
        if not isinstance(node, Mapping):
            continue
        where = ".".join(path[:-1])
        parameters = _parameters(resolve(where, node["_target_"]))
        if not _is_open(parameters):
            kept = (*MARKS, *parameters, *(GROUPS[where].own if where in GROUPS else ()))
            own = {k: v for k, v in node.items() if k in kept or f"{where}.{k}" in typed}
            config = with_values(config, {path[:-1]: own})

    return config


def _build(path: str, node: Any) -> Any:
    """Builds what a node names, arguments first. Not Hydra's: what is built is what was checked."""

    if isinstance(node, list):
        return [_build(f"{path}.{index}", value) for index, value in enumerate(node)]
    if not isinstance(node, dict):
        return node

    arguments = {k: _build(f"{path}.{k}", v) for k, v in node.items() if k not in MARKS}
    if "_target_" not in node:
        return arguments

    target = resolve(path, node["_target_"])
    if node.get("_partial_"):
        return partial(target, **arguments)
    with blamed(path):
        return target(**arguments)


def _targets(config: Config) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Yields the dotted key of each node that names a target, outer ones first."""

    for path, node in nodes(config):
        if isinstance(node, Mapping) and "_target_" in node:
            yield ".".join(map(str, path)), node


def check_arguments(
    path: str, node: Mapping[str, Any], target: Any, given: Sequence[str] = ()
) -> None:
    """Checks the names and plain values of arguments against a signature.

    Arguments:
        path: The dotted key of the node.
        node: The node, whose keys are arguments.
        target: The class or function that takes them.
        given: Further arguments that isoexp gives itself.

    Raises:
        UserError: If an argument is unknown, missing, or of the wrong type.
    """

    parameters = _parameters(target)
    if parameters is _UNKNOWN:
        return

    group = GROUPS.get(path)
    supplied = group.supplied if group else ()
    first = tuple(parameters)[: len(supplied)]
    if path in ("activation", "dropout") and first != supplied and not _is_open(parameters):
        raise UserError(
            f"{path} must take {', '.join(supplied)} first; {node['_target_']} takes "
            f"{', '.join(first) or 'nothing'}: wrap it in a class of your own"
        )
    given = (*given, *supplied, *(handed() if path == "model" else first))

    own = group.own if group else {}
    for key in own.keys() & parameters.keys():
        told = f"is isoexp's own: {node['_target_']} must call its setting otherwise"
        raise UserError(f"{path}.{key} {told}")

    known = [name for name in parameters if name not in given]
    for key, value in node.items():
        if key in MARKS or key in own:
            continue
        if path == "model" and key in given:
            raise UserError(f"the model is handed its {key}: set {key}=…")
        if key not in known and not _is_open(parameters):
            near = did_you_mean(key, known)
            raise UserError(f"there is no setting {path}.{key}{near or _takes(path, known)}")
        if key in parameters and _plain(value):
            hint = parameters[key].annotation
            if hint is not inspect.Parameter.empty and not fits(value, hint):
                raise UserError(f"{path}.{key} must be {describe_type(hint)}, got {value!r}")

    for name, p in parameters.items():
        there = name in node or name in given or (node.get("_partial_") and path != "model")
        if p.default is p.empty and p.kind is p.POSITIONAL_OR_KEYWORD and not there:
            if any(name in each.supplied for each in GROUPS.values()):
                raise UserError(f"{path} needs _partial_: true: isoexp itself gives it {name}")
            raise UserError(f"{path}.{name} must be given: {path}.{name}=…")


_UNKNOWN: Mapping[str, inspect.Parameter] = types.MappingProxyType(
    {"arguments": inspect.Parameter("arguments", inspect.Parameter.VAR_KEYWORD)}
)


def _parameters(target: Any) -> Mapping[str, inspect.Parameter]:
    """Returns the parameters of a class or function; builtins such as torch.tanh tell none."""

    if inspect.isclass(target) and _is_bare(target):
        return {}
    try:
        return inspect.signature(target).parameters
    except (TypeError, ValueError):
        return _UNKNOWN


def _is_bare(target: type) -> bool:
    """Whether a module has no constructor of its own: nn.Module's takes anything, to refuse it."""

    bases = [base for base in target.__mro__ if "__init__" in base.__dict__]

    return bool(bases) and bases[0].__module__ == "torch.nn.modules.module"


def _is_open(parameters: Mapping[str, inspect.Parameter]) -> bool:
    """Whether any keyword is taken."""

    return any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _takes(path: str, known: list[str]) -> str:
    return f"; {path} takes {', '.join(known)}" if known else f"; {path} takes none"


def _plain(value: Any) -> bool:
    """Whether a value is written out, not built from a target of its own."""

    if isinstance(value, list):
        return all(map(_plain, value))

    return not isinstance(value, dict)
