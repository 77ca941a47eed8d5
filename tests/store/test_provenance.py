"""Tests for isoexp.store.provenance: what is recorded of code, and what must not run or be told."""

import importlib
import subprocess
import sys
from pathlib import Path

import pytest

from isoexp.store.provenance import provenance


def git(*words: str) -> None:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false")
    subprocess.run(["git", *who, *words], check=True, capture_output=True)


@pytest.fixture
def repository(folder: Path) -> Path:
    """A repository with one commit, in the current folder."""

    git("init", "-q")
    (folder / "net.py").write_text("WIDTH = 1\n")
    for name in (".env", "deploy.PEM", "my_Token.txt", "a/.env.local", "data.bin"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("old\n")
    git("add", "-A")
    git("commit", "-q", "-m", "first")

    return folder


def test_no_program_of_the_repository_runs(repository: Path) -> None:
    """An external diff, a text conversion, a filter, a watcher of files: settings name programs."""

    owned = repository / "owned"
    program = repository / "program"
    program.write_text(f"#!/bin/sh\ntouch {owned}\ncat\n")
    program.chmod(0o755)
    for key in (
        "diff.external", "core.fsmonitor", "diff.it.textconv", "diff.it.command",
        "filter.it.clean", "filter.it.process", "filter.it.smudge",
    ):  # fmt: skip
        git("config", key, str(program))
    git("config", "color.ui", "always")
    git("config", "diff.noprefix", "true")
    (repository / ".gitattributes").write_text("*.py diff=it filter=it\n*.bin diff=it filter=it\n")
    (repository / "net.py").write_text("WIDTH = 2\n")
    (repository / "data.bin").write_text("new\n")

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GIT_EXTERNAL_DIFF", str(program))
        project = provenance()["project"]

    assert not owned.exists()
    assert "--- a/net.py\n+++ b/net.py\n" in project["diff"]
    assert "\n-WIDTH = 1\n+WIDTH = 2\n" in project["diff"]
    assert "\x1b" not in project["diff"]


def test_secrets_are_named_and_not_told(repository: Path) -> None:
    secret = [".env", "deploy.PEM", "my_Token.txt", "a/.env.local"]
    for name in (*secret, "net.py"):
        (repository / name).write_text("hunter2\n" if name != "net.py" else "WIDTH = 3\n")
    project = provenance()["project"]

    assert "hunter2" not in project["diff"]
    assert "+WIDTH = 3" in project["diff"]
    assert sorted(project["withheld"]) == sorted(secret)


def test_imported_sources_that_no_commit_holds_are_hashed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(str(repository))
    for name in ("untracked_net", "ignored_net", "not_imported"):
        (repository / f"{name}.py").write_text(f"NAME = '{name}'\n")
    (repository / ".gitignore").write_text("ignored_net.py\n")
    for name in ("untracked_net", "ignored_net", "net"):
        monkeypatch.delitem(sys.modules, name, raising=False)
        importlib.import_module(name)

    found = {Path(path).name: each for path, each in provenance()["uncommitted"].items()}
    assert {"untracked_net.py", "ignored_net.py"} <= found.keys()
    assert not {"net.py", "not_imported.py"} & found.keys()
    assert len(set(found.values())) == len(found)
    assert not [path for path in provenance()["uncommitted"] if "site-packages" in path]


def test_a_folder_without_a_repository_has_none(folder: Path) -> None:
    assert provenance()["project"] is None
