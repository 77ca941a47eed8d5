"""Commands run in a folder of their own, in this process."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from isoexp import figures
from isoexp.cli import main


@dataclass(frozen=True)
class Outcome:
    """How a command ended and what it printed."""

    code: int
    out: str
    err: str


Command = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder to work in."""

    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("ISOEXP_ALLOW", raising=False)

    return tmp_path


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are empty files: they take half a second each, and are tested by themselves."""

    def save(how: object, table: object, path: Path, caption: str) -> None:
        path.write_bytes(b"")

    monkeypatch.setattr(figures, "save", save)


@pytest.fixture
def isoexp(
    folder: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Command:
    """Runs a command line, given as words."""

    # Hydra's launchers leave a log to a standard output that is closed when the test has ended.
    monkeypatch.setattr(logging.root, "handlers", [*logging.root.handlers])
    monkeypatch.setattr(logging.root, "level", logging.root.level)

    def run(*words: str) -> Outcome:
        capfd.readouterr()
        code = main(words)
        out, err = capfd.readouterr()

        return Outcome(code, out, err)

    return run
