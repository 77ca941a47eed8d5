"""The identity of a run: a hash of all that changes its numbers, and of nothing else.

In: the configuration of the laboratory and the seed, the content of the data, the source of
classes that users bring, torch's version to the minor, and NUMBERS. Out: settings at their neutral
values, device, compilation, paths, logging, launchers, how many networks were trained together, and
the probes, which look at a network and do not change it, and each have an identity of their own.
"""

__all__ = [
    "NUMBERS", "PROBES", "columns", "command", "flat", "identities", "identity", "label",
    "parts", "probe_identity", "structure", "telling",
]  # fmt: skip

import hashlib
import json
import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from importlib.metadata import version
from typing import Any

from ..config.document import leaves
from ..config.groups import GROUPS, counted, counts, defaults, is_neutral

NUMBERS = 3
"""Raised when a change of the package makes the same configuration compute other numbers.

2: a configuration no longer repeats in its model the forms that the model is handed.
3: no bias before norms that centre, nor of keys under softmax; isotropic functions are series near
   the origin.
"""

PROBES = 3
"""Raised when a probe measures otherwise than before with the same settings.

2: groups are drawn evenly, ranks are of weights to float64's rounding, NaN is not judged.
3: connectivity aligns residual streams, heads of attention, codes and what norms keep per feature.
"""


def flat(config: Mapping[str, Any], seed: int) -> dict[str, Any]:
    """Returns the settings of a network by dotted key, those that its numbers may depend on."""

    found = {
        key: _canonical(value)
        for key, value in leaves(config)
        if counts(key) and not key.endswith("._partial_")
    }

    found["seed"] = seed
    found.pop("data.root", None)  # a path: the content of the data is what counts
    if found.get("steps") is not None:
        found["epochs"] = None

    return found


def _canonical(value: Any) -> Any:
    """Returns one form of values that compute alike: 1 and 1.0 are one learning rate."""

    if isinstance(value, list):
        return [_canonical(item) for item in value]

    return int(value) if isinstance(value, float) and value.is_integer() else value


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
        data_fingerprint: A hash of the content of the data.
        sources: Hashes of the source files of classes from outside the package.
    """

    settings = {k: v for k, v in flat(config, 0).items() if not is_neutral(k, v)}
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
    """Returns a hash of all that networks trained as one must share: no real number, no seed."""

    return likeness(config, device=config["device"], compile=config["compile"])


def likeness(config: Mapping[str, Any], **facts: Any) -> str:
    """Returns a hash of a configuration but for its real numbers and its seed, and of facts."""

    own = {key: _shape(value) for key, value in leaves(config) if counts(key) and key != "seed"}

    return _hash({**own, **facts}, 8)


def _shape(value: Any) -> Any:
    """Returns a value in which any real number is like any other."""

    if isinstance(value, list):
        return [_shape(item) for item in value]

    return "a real number" if isinstance(value, float) else value


@cache
def _torch_minor() -> str:
    return version("torch").split("+")[0].rpartition(".")[0]


def probe_identity(settings: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """Returns the identity of a probe with these settings, 8 hexadecimal digits."""

    plain = {key: _canonical(value) for key, value in settings.items()}

    return _hash({"probe": plain, "sources": dict(sources), "numbers": PROBES}, 4)


def _hash(content: Mapping[str, Any], size: int) -> str:
    text = json.dumps(content, sort_keys=True, ensure_ascii=False)

    return hashlib.blake2b(text.encode(), digest_size=size).hexdigest()


def columns(choices: Mapping[str, str], study: str, identity: str, seed: int) -> dict[str, Any]:
    """Returns the first columns of every table of a run, the same in all runs."""

    return {
        "run": identity[:8],
        "study": study,
        **{group: choices.get(group, "") for group in counted()},
        "seed": seed,
    }


def telling(choices: Mapping[str, str], overrides: Sequence[str]) -> list[str]:
    """Returns the overrides that change numbers, beside the choices and the seed."""

    keys = {text: re.split(r"[=@]", text.lstrip("+~"), maxsplit=1)[0] for text in overrides}

    return [
        text
        for text, key in keys.items()
        if key not in (*choices, "seed", "hydra")
        and counts(key.replace("/", "."))
        and not key.startswith(("hydra.", "hydra/"))
    ]


def command(columns: Mapping[str, Any], overrides: Sequence[str]) -> str:
    """Returns the command that trains a run by itself, from the first columns of its tables."""

    usual = defaults()
    chosen = [
        f"{group}={columns[group]}"
        for group in counted()
        if columns.get(group, "") not in ("", usual.get(group))
    ]
    seed = [f"seed={columns['seed']}"] if columns.get("seed") else []

    return " ".join(["isoexp train", *chosen, *overrides, *seed])


def parts(choices: Mapping[str, str], overrides: Sequence[str]) -> list[str]:
    """Returns the choices and overrides that the name of a run's folder may show."""

    typed = {text.partition("=")[0].lstrip("+") for text in overrides}
    shown = [g for g in counted() if g in choices and (GROUPS[g].named or g in typed)]

    return [
        *(f"{g}={choices[g]}" for g in shown),
        *sorted(telling(choices, overrides), key=lambda text: text.lstrip("+~")),
    ]


def label(
    choices: Mapping[str, str], overrides: Sequence[str], seed: int, shared: Collection[str] = ()
) -> str:
    """Returns the readable part of a folder's name: the choices, the overrides, the seed.

    Without equals signs: parquet readers would take such a folder for a partition. Parts that all
    runs of a sweep share tell none from another, and are left out.
    """

    every = parts(choices, overrides)
    own = [part for part in every if part not in shared] or every
    text = ",".join(part.lstrip("+~").replace("=", "-") for part in own)
    text = re.sub(r"[^\w.,+-]+", "_", text)
    short = text if len(text) <= 100 else text[:101].rpartition(",")[0]

    return f"{short},seed-{seed}"
