"""Where a run comes from: code, versions, machine, command."""

__all__ = ["provenance", "versions"]

import os
import platform
import shlex
import socket
import subprocess
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("isoexp", "torch", "torchvision", "numpy", "scipy", "hydra-core", "omegaconf", "wandb")
DIFF_LIMIT = 200_000


def provenance(**facts: Any) -> dict[str, Any]:
    """Returns code, versions, machine and command, and the facts given."""

    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "directory": str(Path.cwd()),
        "versions": versions(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "code": _git(Path(__file__).parents[1]),
        "project": _git(Path.cwd()),
        **facts,
    }


@cache
def versions() -> dict[str, str]:
    """Returns the versions of Python and of the packages that numbers depend on."""

    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue

    return found


@cache  # what a process runs is what it has loaded, not what a file becomes meanwhile
def _git(folder: Path) -> dict[str, str] | None:
    """Returns commit and uncommitted changes of the repository around a folder, if it is one."""

    def git(*words: str) -> str | None:
        command = ["git", "-C", str(folder), *words]
        try:
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError):
            return None
        return done.stdout.strip()

    commit = git("rev-parse", "HEAD")
    if commit is None:
        return None

    diff = git("diff", "HEAD") or ""
    if len(diff) > DIFF_LIMIT:
        diff = f"{diff[:DIFF_LIMIT]}\n… cut: {len(diff)} characters in all"

    return {"commit": commit, "diff": diff}
