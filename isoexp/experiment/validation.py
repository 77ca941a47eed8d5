"""Validation: what is wrong with any job of a sweep is said before the first one starts.

The first job of each structure is built in full, on its data. Of the others, which differ from it
in real numbers, probes and the like, each part is tried once with each content that it has.
"""

__all__ = ["validate"]

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from .construction import check

if TYPE_CHECKING:
    from .configuration import Config
    from .preparation import Prepared


def validate(jobs: "Iterable[Prepared]") -> None:
    """Tries what jobs are made of; imports torch, if there are any.

    Raises:
        UserError: If a part of one refuses its settings, or data or device are not there.
    """

    structures: dict[str, list[Prepared]] = {}
    for job in jobs:
        structures.setdefault(job.structure, []).append(job)

    tried: set[str] = set()
    for first, *others in structures.values():
        check(first.job.config)
        bench = first.bench()
        tried |= {content for _, content in _parts(first.job.config)}
        for job in others:
            config = job.job.config
            fresh = {part: content for part, content in _parts(config) if content not in tried}
            if fresh:
                check({part: config[part] for part in fresh})
                bench.try_parts(config, job.settings, fresh)
                tried |= set(fresh.values())


def _parts(config: "Config") -> Iterator[tuple[str, str]]:
    """Yields the parts of a configuration, and what tells their contents apart.

    A model repeats the activation that it is handed, which is a part of its own.
    """

    for part, node in config.items():
        if isinstance(node, dict) and part not in ("sweep", "search"):
            own = {k: v for k, v in node.items() if not isinstance(v, dict) or config.get(k) != v}
            yield part, f"{part} {own}"
