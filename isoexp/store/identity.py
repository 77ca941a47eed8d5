"""The identity of a run: a hash of all that changes its numbers, and of nothing else.

In: the configuration of the laboratory and the seed, the content of the data, the source of
classes that users bring, torch's version to the minor, and NUMBERS. Out: device, compilation,
paths, logging, launchers, how many networks were trained together, and the probes: they look at a
network and do not change it, and each has an identity of its own.
"""

__all__ = [
    "NUMBERS",
    "PROBES",
    "columns",
    "command",
    "flat",
    "identities",
    "identity",
    "label",
    "probe_identity",
    "readable",
    "structure",
    "telling",
]

import hashlib
import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from ..choices import defaults

NUMBERS = 1
"""Raised when a change of the package makes the same configuration compute other numbers."""

PROBES = 1
"""Raised when a probe measures otherwise than before with the same settings."""

NOT_NUMBERS = frozenset({
    "name", "seeds", "device", "compile", "figures", "out", "force", "sweep", "search",
    "logger", "experiment", "probe",
})  # fmt: skip
"""Top-level keys that do not change the numbers of one network."""

GROUPS = (
    "activation", "model", "norm", "init", "dropout", "data", "optimizer", "schedule", "clip",
    "regularizer",
)  # fmt: skip
"""The groups whose choice stands beside every result."""


def flat(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Returns the settings that count, by dotted key; what a class is called counts as one."""

    found = {path: _canonical(value) for path, value in _leaves(config)}

    found["seed"] = seed
    if not found.get("snapshots"):
        found.pop("snapshots", None)
    found.pop("data.root", None)  # a path: the content of the data is what counts
    if found.get("steps") is not None:
        found["epochs"] = None

    return found


def _leaves(config: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yields the dotted key and the value of each setting that numbers may depend on."""

    def visit(node: Any, path: str) -> Iterator[tuple[str, Any]]:
        if isinstance(node, Mapping):
            for key in node:
                yield from visit(node[key], f"{path}.{key}")
        else:
            yield path, node

    for key, node in config.items():
        if key not in NOT_NUMBERS:
            yield from visit(node, key)


def _canonical(value: Any) -> Any:
    """Returns one form of values that compute alike: 1 and 1.0 are one learning rate."""

    if isinstance(value, list):
        return [_canonical(item) for item in value]

    return int(value) if isinstance(value, float) and value.is_integer() else value


def readable(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Returns the settings that a reader looks for: those of `flat`, without what it says twice.

    A model repeats the activation that it is handed: model.activation.R0 is activation.R0.
    """

    found = flat(config, seed)

    def repeated(key: str) -> bool:
        inner = key.partition(".")[2]
        return inner in found and found[inner] == found[key]

    return {k: v for k, v in found.items() if not repeated(k) and not k.endswith("._partial_")}


def identity(
    config: Mapping[str, Any], seed: int, data_fingerprint: str, sources: Mapping[str, str]
) -> str:
    """Returns the identity of the run of a seed, as `identities`."""

    return identities(config, [seed], data_fingerprint, sources)[seed]


def identities(
    config: Mapping[str, Any],
    seeds: Iterable[int],
    data_fingerprint: str,
    sources: Mapping[str, str],
) -> dict[int, str]:
    """Returns the identity of the run of each seed, 32 hexadecimal digits.

    Arguments:
        config: The configuration, a plain dictionary.
        seeds: The seeds of the networks.
        data_fingerprint: What identifies the content of the data.
        sources: Hashes of the source files of classes from outside the package.
    """

    settings = flat(config, 0)
    content = {
        "config": settings,
        "data": data_fingerprint,
        "sources": dict(sources),
        "torch": _torch_minor(),
        "numbers": NUMBERS,
    }

    found = {}
    for settings["seed"] in seeds:
        found[settings["seed"]] = _hash(content, 16)

    return found


def structure(config: Mapping[str, Any]) -> str:
    """Returns what networks must share to be trained as one: all but real numbers and the seed.

    Arguments:
        config: The configuration, a plain dictionary.
    """

    own = {path: _shape(value) for path, value in _leaves(config) if path != "seed"}

    return _hash({**own, "device": config["device"], "compile": config["compile"]}, 8)


def _shape(value: Any) -> Any:
    """Returns a value, without what a real number in it is."""

    if isinstance(value, list):
        return [_shape(item) for item in value]

    return "a real number" if isinstance(value, float) else value


@cache
def _torch_minor() -> str:
    return version("torch").split("+")[0].rpartition(".")[0]


def probe_identity(settings: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """Returns the identity of what a probe measures of a given run, 8 hexadecimal digits.

    Arguments:
        settings: The probe's node of the configuration.
        sources: Hashes of the source files of classes from outside the package.
    """

    plain = {key: _canonical(value) for key, value in settings.items()}

    return _hash({"probe": plain, "sources": dict(sources), "numbers": PROBES}, 4)


def _hash(content: Mapping[str, Any], size: int) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)

    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def columns(choices: Mapping[str, str], study: str, identity: str, seed: int) -> dict[str, Any]:
    """Returns what every row of a run begins with, the same columns in all runs."""

    return {
        "run": identity[:8],
        "study": study,
        **{group: choices.get(group, "") for group in GROUPS},
        "seed": seed,
    }


def telling(choices: Mapping[str, str], words: Sequence[str]) -> list[str]:
    """Returns the words of a command line that change numbers, beside the choices and the seed."""

    known = {*choices, *NOT_NUMBERS, "seed"}
    keys = {word: re.split(r"[=@]", word.lstrip("+~"), maxsplit=1)[0] for word in words}

    return [
        word
        for word, key in keys.items()
        if key not in known and re.split(r"[./]", key)[0] not in (*NOT_NUMBERS, "hydra")
    ]


def command(columns: Mapping[str, Any], words: Sequence[str]) -> str:
    """Returns the command that trains a run by itself.

    Arguments:
        columns: What its rows begin with.
        words: Its words that change numbers, beside the choices and the seed.
    """

    usual = defaults()
    chosen = [f"{g}={columns[g]}" for g in GROUPS if columns.get(g, "") not in ("", usual.get(g))]
    seed = [f"seed={columns['seed']}"] if columns.get("seed") else []

    return " ".join(["isoexp train", *chosen, *words, *seed])


def label(choices: Mapping[str, str], words: Sequence[str], seed: int) -> str:
    """Returns the readable part of a folder's name: what was chosen, what was set, the seed.

    Without equals signs: parquet readers would take such a folder for a partition.
    """

    typed = {word.partition("=")[0].lstrip("+") for word in words}
    shown = [g for g in GROUPS if g in ("activation", "model", "data") or g in typed]
    parts = [f"{group}-{choices[group]}" for group in shown if group in choices]
    parts += sorted(word.lstrip("+~").replace("=", "-") for word in telling(choices, words))
    text = re.sub(r"[^\w.,+-]+", "_", ",".join(parts))

    short = text if len(text) <= 100 else text[:101].rpartition(",")[0]

    return f"{short},seed-{seed}"
