"""Origin: by which code, on what machine and in what time runs were made. No host, no path.

Networks that are trained as one share the time of that training. A run that was resumed counts from
its last start; probes that were put to it another time are not counted.
"""

__all__ = ["CORES", "TimeSpent", "commit", "origin", "time_spent"]

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..store.files import read_json
from .cells import minutes, plural
from .entries import Entry

CORES = 2
"""Costs are told for a laptop of so many cores, each of which does a run."""

LOOKED_AT = 100
"""Runs whose provenance is read at most, evenly spread over time: each is a file of its own."""


@dataclass(frozen=True)
class TimeSpent:
    """The time that runs took, by their own clocks.

    Arguments:
        busy_s: The time of one worker that does them all.
        first: When the first was started, if any.
        last: When the last was over.
    """

    busy_s: float
    first: float | None
    last: float | None

    def told(self, scale: str = "laptop") -> str:
        """Says it in minutes: on two cores, each of which does a run; of a gpu on one GPU."""

        on_gpu = scale == "gpu"
        where = "one GPU" if on_gpu else f"{CORES} cores"

        return f"{minutes(self.busy_s / (1 if on_gpu else CORES))} min on {where}"


def time_spent(found: Iterable[Entry]) -> TimeSpent:
    """Adds up the time of runs, failed ones included."""

    units: dict[str, list[Entry]] = {}
    for each in found:
        if each.started and each.ended:
            units.setdefault(each.unit, []).append(each)

    busy = 0.0
    for mates in units.values():
        span = max(e.ended or 0.0 for e in mates) - min(e.started or 0.0 for e in mates)
        # Others of the unit may belong to another claim: theirs is their part.
        busy += max(0.0, span) * min(1.0, len(mates) / max(e.mates for e in mates))

    timed = [each for mates in units.values() for each in mates]
    first = min((e.started for e in timed if e.started), default=None)
    last = max((e.ended for e in timed if e.ended), default=None)

    return TimeSpent(busy, first, last)


def origin(found: Sequence[Entry]) -> list[tuple[str, str]]:
    """Returns the versions, code, platforms and devices of runs, each with its term."""

    timed = sorted((each for each in found if each.started), key=lambda each: each.started or 0.0)
    step = max(1, -(-len(timed) // LOOKED_AT))
    facts = [read_json(each.run.folder / "provenance.json") for each in timed[::step]]
    facts = [each for each in facts if each]
    if not facts:
        return []

    seen = f", by {plural(len(facts), 'run')} of {len(timed)}" if step > 1 else ""

    return [
        ("versions" + seen, _distinct(_versions(each) for each in facts)),
        ("code", _distinct(commit(each.get("code")) for each in facts)),
        ("platform", _distinct(str(each.get("platform", "")) for each in facts)),
        ("device", _distinct(_device(each) for each in facts)),
    ]


def commit(known: Mapping[str, Any] | None) -> str:
    """Names the commit of the code, and says whether it was changed."""

    if not known:
        return "installed, no repository"

    return str(known.get("commit"))[:12] + (" and uncommitted changes" if known.get("diff") else "")


def _versions(facts: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {told}" for name, told in (facts.get("versions") or {}).items())


def _device(facts: Mapping[str, Any]) -> str:
    device = facts.get("device_name") or facts.get("device") or ""

    return f"{device}, {plural(int(facts.get('threads') or 1), 'thread')} each"


def _distinct(values: Iterable[str]) -> str:
    return "; also ".join(dict.fromkeys(value for value in values if value))
