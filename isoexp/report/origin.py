"""Origin: by which code, with which versions and on what runs were made. No host, no path."""

__all__ = ["code", "origin"]

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from ..store.files import read_json
from .cells import plural
from .reading import Entry

LOOKED_AT = 100
"""Runs whose provenance is read at most, evenly spread over time: each is a file of its own."""


def origin(found: Sequence[Entry]) -> list[tuple[str, str]]:
    """Returns what is known of the code and the machines of runs."""

    timed = sorted((each for each in found if each.started), key=lambda each: each.started or 0.0)
    step = max(1, -(-len(timed) // LOOKED_AT))
    facts = [read_json(each.run.folder / "provenance.json") for each in timed[::step]]
    facts = [each for each in facts if each]
    if not facts:
        return []

    seen = f", by {plural(len(facts), 'run')} of {len(timed)}" if step > 1 else ""

    return [
        ("versions" + seen, _distinct(_versions(each) for each in facts)),
        ("code", _distinct(code(each.get("code")) for each in facts)),
        ("platform", _distinct(str(each.get("platform", "")) for each in facts)),
        ("device", _distinct(_device(each) for each in facts)),
    ]


def code(known: Mapping[str, Any] | None) -> str:
    """Returns the commit of the code, and whether it was changed."""

    if not known:
        return "installed, no repository"

    return str(known.get("commit"))[:12] + (" and uncommitted changes" if known.get("diff") else "")


def _versions(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {told}" for name, told in (facts.get("versions") or {}).items())


def _device(facts: Mapping[str, Any]) -> str:
    device = facts.get("device_name") or facts.get("device") or ""

    return f"{device}, {plural(int(facts.get('threads') or 1), 'thread')} each"


def _distinct(values: Iterable[str]) -> str:
    """Returns what was told, each once."""

    return "; also ".join(dict.fromkeys(value for value in values if value))
