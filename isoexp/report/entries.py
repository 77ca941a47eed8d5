"""Runs as their folders were, each file read once: ten thousand of them fit into memory."""

__all__ = ["Entry", "by_study", "entries", "entry"]

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from math import isfinite
from pathlib import Path
from typing import Any

from ..store.run import Run, status
from ..store.study import runs_below

PROBED_LATER_S = 120.0
"""A state written so long after the training is from a probe that was put later."""

NO_SETTINGS = ("run", "study", "seed")
"""Columns that are no settings."""


@dataclass(frozen=True)
class Entry:
    """A run, as the files of its folder describe it.

    Arguments:
        identity: The hash of what it computes.
        status: completed, failed, …
        reason: The reason of a failure.
        settings: The choices and overrides it was started with.
        numbers: The final numbers.
        unmeasured: The reasons why probes have not measured it, by their names.
        ended: The time when it was trained and probed.
        mates: The number of networks that were trained as one with it.
        unit: The identity of the first of those.
    """

    run: Run
    identity: str
    status: str
    reason: str
    seed: int | None
    settings: Mapping[str, str]
    numbers: Mapping[str, float]
    unmeasured: Mapping[str, str]
    started: float | None
    ended: float | None
    mates: int
    unit: str

    @property
    def completed(self) -> bool:
        """True if it has final numbers."""

        return self.status == "completed"


def entry(run: Run) -> Entry:
    """Reads the folder of a run."""

    state = run.state
    columns = state.get("columns") or {}
    settings = {str(k): str(v) for k, v in columns.items() if k not in NO_SETTINGS}
    for override in state.get("words") or ():
        key, _, value = str(override).partition("=")
        settings[key.lstrip("+")] = value
    found = status(state)
    together = state.get("together") or [state.get("identity")]

    return Entry(
        run=run,
        identity=str(state.get("identity")),
        status=found,
        reason=str(state.get("reason") or ""),
        seed=columns.get("seed"),
        settings=settings,
        numbers=_numbers(run.summary) if found == "completed" else {},
        unmeasured=state.get("unmeasured") or {},
        started=state.get("started"),
        ended=_ended(state),
        mates=len(together),
        unit=str(together[0]),
    )


def entries(root: Path) -> list[Entry]:
    """Reads all runs below a folder."""

    return [entry(run) for run in runs_below(root)]


def by_study(found: Iterable[Entry]) -> dict[Path, list[Entry]]:
    """Parts runs by their study, the folder above theirs."""

    studies: dict[Path, list[Entry]] = {}
    for each in found:
        studies.setdefault(each.run.folder.parent, []).append(each)

    return studies


def _numbers(summary: Mapping[str, Any]) -> dict[str, float]:
    return {
        key: float(value)
        for key, value in summary.items()
        if isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value)
    }


def _ended(state: Mapping[str, Any]) -> float | None:
    """Returns the time when a run was over with its probes, as far as its state tells."""

    last, ended = state.get("heartbeat"), state.get("ended")
    if ended is None:
        return last
    if last is None or last - ended > PROBED_LATER_S:
        return ended

    return max(last, ended)
