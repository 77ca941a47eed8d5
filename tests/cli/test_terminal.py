"""What names, words and files hold reaches no terminal as what steers it."""

from pathlib import Path

import pytest

from isoexp.figures import arms
from isoexp.output import printable

from ..commands import Command
from ..report.hostile import CONTROL, leave, named, typed


@pytest.fixture
def study(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A study of which people have typed what steers terminals."""

    monkeypatch.setattr(arms, "svg", lambda how, table: b"<svg/>")
    found = folder / "runs" / named(typed(CONTROL), "study")
    leave(found, typed(CONTROL))
    own = folder / "own" / "activation"
    own.mkdir(parents=True)
    (own / "mine.yaml").write_text("# f(x) \u202e \u2066 mine\n_target_: a.B\n")
    (own / "m\x1bn.yaml").write_text("# f(x) = mine\n_target_: a.B\n")

    return found


def test_no_command_prints_what_steers(study: Path, isoexp: Command) -> None:
    run, damaged = study / "run-00000046", study / named(typed(CONTROL), "damaged")
    for words in (
        ("ls",),
        ("ls", str(study)),
        ("ls", "\x1b[31m"),
        ("show", str(run)),
        ("show", str(damaged)),
        ("show", "\x1b[31m"),
        ("list", "activation", "--config-dir", "own"),
        ("report", str(study)),
        ("report", "--compare", str(study), str(study)),
        ("figures", str(run)),
        ("probe", str(run), "probe=[spectrum]"),
        ("reproduce", "be\x1bter"),
        ("train", "activation=\x1b[31m", "--cfg"),
        ("\x1b[31m",),
    ):
        told = isoexp(*words)
        assert told.out or told.err
        for text in (told.out, told.err):
            assert text == printable(text), words


def test_a_table_keeps_a_line_for_each_run(study: Path, isoexp: Command) -> None:
    """Line breaks in a reason or a word end no row."""

    before = len(isoexp("ls").out.splitlines())
    leave(study.with_name("plain"), typed("a\nb"))
    assert len(isoexp("ls").out.splitlines()) == 2 * before - 1


def test_a_line_above_bars_is_printable(monkeypatch: pytest.MonkeyPatch) -> None:
    from rich.console import Console

    from isoexp.cli.progress import RunProgress

    console = Console(width=200, force_terminal=True, color_system=None)
    with console.capture() as captured:
        progress = RunProgress()
        monkeypatch.setattr(progress, "_live", type("Live", (), {"console": console})())
        progress._bars = [(CONTROL, 1, 2)]
        progress._footer = CONTROL
        progress.say(CONTROL)
        console.print(progress._render())
    assert captured.get().rstrip("\n") == printable(captured.get()).rstrip("\n")
