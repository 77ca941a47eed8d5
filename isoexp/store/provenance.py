"""Where a run comes from: code, versions, machine, command."""

__all__ = ["provenance", "versions"]

import hashlib
import os
import platform
import shlex
import socket
import subprocess
import sys
import sysconfig
from functools import cache, lru_cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

PACKAGES = ("isoexp", "torch", "torchvision", "numpy", "scipy", "hydra-core", "omegaconf", "wandb")
DIFF_LIMIT = 200_000

SECRETS = (
    ".env*", "*/.env*", "*.pem", "*.key", "*secret*", "*token*", "*password*", "*credential*",
)  # fmt: skip
"""Paths of files whose content is not recorded, as git matches them, in any case of letters."""


def provenance(**facts: Any) -> dict[str, Any]:
    """Returns code, versions, machine and command, and the facts given."""

    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "directory": str(Path.cwd()),
        "versions": versions(),
        "host": socket.gethostname(),
        "platform": platform.platform(),
        "cpus": os.cpu_count(),
        "code": _repository(Path(__file__).parents[1]),
        "project": _repository(Path.cwd()),
        "uncommitted": _uncommitted(len(sys.modules)),
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
def _repository(folder: Path) -> dict[str, Any] | None:
    """Returns commit and uncommitted changes of the repository around a folder, if it is one.

    Of files whose name speaks of secrets only the names are told.
    """

    commit = _git(folder, "rev-parse", "HEAD")
    if commit is None:
        return None

    # None of the programs that a user's or a repository's settings name for such files is run.
    names = (_git(folder, "config", "--name-only", "--get-regexp", r"^filter\.") or "").split()
    filters = {name.rpartition(".")[0] for name in names}
    off = [f"{each}.{what}=" for each in filters for what in ("clean", "process")]
    plain = [word for each in off for word in ("-c", each)]
    flags = (
        "--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--src-prefix=a/",
        "--dst-prefix=b/", "--ignore-submodules=dirty",
    )  # fmt: skip
    secret = [f":(top,icase){pattern}" for pattern in SECRETS]
    public = [f":(top,icase,exclude){pattern}" for pattern in SECRETS]

    diff = _git(folder, *plain, "diff", *flags, "HEAD", "--", ":/", *public) or ""
    if len(diff) > DIFF_LIMIT:
        diff = f"{diff[:DIFF_LIMIT]}\n… cut: {len(diff)} characters in all"
    withheld = _git(folder, *plain, "diff", *flags, "--name-only", "HEAD", "--", *secret) or ""

    return {"commit": commit.strip(), "diff": diff, "withheld": withheld.splitlines()}


def _git(folder: Path, *words: str) -> str | None:
    """Returns what git says of a folder, None if it fails; no program is run but git."""

    fixed = ("--no-optional-locks", "-c", "core.fsmonitor=false", "-c", "core.quotePath=false")
    environment = {k: v for k, v in os.environ.items() if k != "GIT_EXTERNAL_DIFF"}
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *fixed, *words],
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=10,
            check=True,
            env=environment,
        )
    except (OSError, subprocess.SubprocessError):
        return None

    return done.stdout.decode(errors="replace")


@lru_cache(maxsize=1)
def _uncommitted(modules: int) -> dict[str, str]:
    """Returns hashes of the sources that this process has imported and that no commit holds.

    Arguments:
        modules: The number of modules that are imported: there may be more than the last time.
    """

    installed = tuple({sys.prefix, sys.base_prefix, *sysconfig.get_paths().values()})
    files = {getattr(module, "__file__", None) for module in list(sys.modules.values())}
    own = {Path(file).resolve() for file in files if file and not file.startswith(installed)}

    return {
        str(path): hashlib.blake2b(path.read_bytes(), digest_size=8).hexdigest()
        for path in sorted(own)
        if path.suffix == ".py" and path.is_file() and path not in _tracked(path.parent)
    }


@cache
def _tracked(folder: Path) -> frozenset[Path]:
    """Returns the files in a folder that a repository tracks."""

    names = _git(folder, "ls-files", "-z", "--", ".") or ""

    return frozenset(folder / name for name in names.split("\0") if name)
