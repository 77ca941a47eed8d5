"""The folder of a run: who works on it, how far it is, and what can be said without torch.

    <out>/<study>/<label>-<hash8>/
        config.yaml  provenance.json  state.json  summary.json
        metrics.parquet  probes/*.parquet  probes/*.png  checkpoint.pt  wandb/

A run is pending, running, completed, failed or interrupted. One process at a time works on it: it
holds a lock that the kernel frees when the process is killed.
"""

__all__ = [
    "Busy",
    "Run",
    "Study",
    "claim",
    "find",
    "find_run",
    "find_runs",
    "hold",
    "runs_below",
    "status",
]

import os
import re
import socket
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import UserError
from .records import files_below, read_json, write_json

HEARTBEAT_DEAD_S = 60.0
"""A run on another host that has not written its state for so long is taken for dead."""


IDENTITY = re.compile(r"-(?=([0-9a-f]{8}))")
"""What an identity in the name of a folder begins with."""


class Busy(Exception):
    """Another process works on the run."""


def status(state: Mapping[str, Any]) -> str:
    """Returns what a run is, whatever its state.json says: running, if someone works on it."""

    said = state.get("state", "pending")

    return "interrupted" if said == "running" and not _alive(state) else said


@dataclass(frozen=True)
class Run:
    """The folder of one run.

    Arguments:
        folder: Its path; it need not exist yet.
    """

    folder: Path

    @property
    def lines(self) -> Path:
        """The rows of a run that is going, before they become metrics.parquet."""

        return self.folder / "metrics.jsonl"

    @property
    def state(self) -> dict[str, Any]:
        """What state.json says; {} before there is one."""

        return read_json(self.folder / "state.json")

    @property
    def status(self) -> str:
        """The state as it is: a run whose process has died is interrupted, whatever it wrote."""

        return status(self.state)

    @property
    def summary(self) -> dict[str, Any]:
        """The final numbers; {} before there are any."""

        return read_json(self.folder / "summary.json")

    @property
    def asked_to_stop(self) -> str | None:
        """Why the process that works on the run was asked to stop it; None if it was not."""

        return read_json(self.folder / "stop.json").get("reason")

    def ask_to_stop(self, reason: str) -> None:
        """Asks the process that works on the run to stop it; it does so at its next row."""

        write_json(self.folder / "stop.json", {"reason": reason})

    def write_state(self, status: str, **facts: Any) -> None:
        """Writes state.json, keeping what it said of other things."""

        write_json(
            self.folder / "state.json",
            {**self.state, "state": status, "heartbeat": time.time(), **facts},
        )


@dataclass(frozen=True)
class Study:
    """The runs of a study, as its folder was when it was listed.

    Arguments:
        folder: The folder of the study; it need not exist yet.
        names: The names of the folders of runs, by the first 8 characters of an identity in them.
    """

    folder: Path
    names: Mapping[str, Sequence[str]]

    @classmethod
    def of(cls, folder: Path) -> "Study":
        """Lists a folder."""

        names: dict[str, list[str]] = {}
        for name in sorted(os.listdir(folder)) if folder.is_dir() else []:
            for start in dict.fromkeys(IDENTITY.findall(name)):
                names.setdefault(start, []).append(name)

        return cls(folder, names)

    def find(self, identity: str) -> Run | None:
        """Returns the run that has an identity, under whatever label it was started."""

        for name in self.names.get(identity[:8], ()):
            run = Run(self.folder / name)
            if run.state.get("identity") == identity:
                return run

        return None


def find(study: Path, identity: str) -> Run | None:
    """Returns the run of a study that has an identity now."""

    # Half the time of a glob, in a study of ten thousand runs.
    names = os.listdir(study) if study.is_dir() else []
    start = identity[:8]

    return Study(study, {start: sorted(n for n in names if f"-{start}" in n)}).find(identity)


@contextmanager
def claim(study: Path, label: str, identity: str) -> Iterator[Run]:
    """Finds or makes the folder of a run and holds it while the context lasts.

    Arguments:
        study: The folder of the study.
        label: What a reader should see in the folder's name.
        identity: The hash of what the run computes.

    Raises:
        Busy: If another process holds it.
    """

    from filelock import FileLock

    study.mkdir(parents=True, exist_ok=True)
    with FileLock(study / ".lock"):
        run = find(study, identity)
        if run is None:
            run = Run(study / f"{label}-{identity[:8]}")
            if run.folder.exists() and run.state:  # another identity that begins alike
                run = Run(study / f"{label}-{identity}")
            run.folder.mkdir(exist_ok=True)
            run.write_state("pending", identity=identity)

    with hold(run):
        if run.status == "running" and run.state.get("host") != socket.gethostname():
            raise Busy(f"{run.folder} is being run by {_owner(run.state)}")
        if run.status != "completed":
            run.write_state("pending", pid=os.getpid(), host=socket.gethostname())
        yield run


@contextmanager
def hold(run: Run) -> Iterator[None]:
    """Holds the folder of a run while the context lasts.

    Raises:
        Busy: If another process holds it.
    """

    from filelock import FileLock, Timeout

    held = FileLock(run.folder / ".lock")
    try:
        held.acquire(timeout=0)
    except Timeout:
        raise Busy(f"{run.folder} is being run by {_owner(run.state)}") from None

    try:
        yield
    finally:
        held.release()


def held(run: Run) -> bool:
    """Whether another process works on a run."""

    try:
        with hold(run):
            state = run.state
            return state.get("host") != socket.gethostname() and run.status == "running"
    except Busy:
        return True


def runs_below(root: Path) -> list[Run]:
    """Returns the runs below a folder, ordered by path."""

    return [Run(path.parent) for path in files_below(root, "state.json")]


def find_run(text: str) -> Run:
    """Returns the run that a folder, or the end of the name of one below runs/, stands for.

    Raises:
        UserError: If there is none, or more than one.
    """

    if Path(text, "state.json").is_file():
        return Run(Path(text))

    ends = [run for run in runs_below(Path("runs")) if run.folder.name.endswith(Path(text).name)]
    if len(ends) == 1:
        return ends[0]
    if ends:
        raise UserError(f"{text} ends {len(ends)} runs: name its folder; isoexp ls shows them")

    raise UserError(f"there is no run {text}: isoexp ls shows those below runs/")


def find_runs(text: str) -> list[Run]:
    """Returns the completed runs below a folder, or the run that a text stands for.

    Raises:
        UserError: If there is none.
    """

    folder = Path(text)
    if not folder.is_dir() or (folder / "state.json").is_file():
        return [find_run(text)]

    found = [run for run in runs_below(folder) if run.status == "completed"]
    if not found:
        raise UserError(f"there is no completed run below {text}; isoexp ls shows those it has")

    return found


def _owner(state: dict[str, Any]) -> str:
    if "pid" not in state or state.get("state") == "completed":  # whoever trained it has gone
        return "another process; repeat the command when it has ended"

    ago = time.time() - state.get("heartbeat", 0)

    return f"process {state['pid']} on {state.get('host')}, heard of {ago:.0f} s ago"


def _alive(state: Mapping[str, Any]) -> bool:
    """Whether the process that wrote a state still works on it, as far as this host can tell."""

    if state.get("host") != socket.gethostname():
        return time.time() - state.get("heartbeat", 0) < HEARTBEAT_DEAD_S

    pid = state.get("pid")
    if not isinstance(pid, int):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True

    return True
