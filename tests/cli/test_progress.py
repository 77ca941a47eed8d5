"""Tests for isoexp.cli.progress: what a terminal of 80 columns shows."""

import io
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest
from rich.console import Console

from isoexp.cli.progress import BAR, BARS, RunProgress
from isoexp.cli.sweep import SweepProgress
from isoexp.config.axes import SweepSettings
from isoexp.store.run import Run
from isoexp.sweep import Plan, Resumed


def shown(bars: list[tuple[str, int, int]], footer: str = "") -> list[str]:
    """Returns the lines of a display on a terminal of 80 columns."""

    progress = RunProgress()
    progress.draw(bars, footer)
    screen = io.StringIO()
    terminal = Console(width=80, force_terminal=True, color_system="standard", file=screen)
    terminal.print(progress._render())

    return re.sub(r"\x1b\[[\d;]*m", "", screen.getvalue()).splitlines()


@pytest.mark.parametrize("length", [3, 50, 80, 300])
def test_a_bar_keeps_its_width_whatever_its_name(length: int) -> None:
    counts = [(0, 0), (0, 300), (150, 300), (1_999_999, 2_000_000)]
    lines = shown([("x" * length, made, whole) for made, whole in counts], "y" * length)

    assert len(lines) == len(counts) + 1
    for line, (made, whole) in zip(lines, counts, strict=False):
        assert len(line) <= 80
        assert line.rstrip().endswith(f"{made}/{whole}" if whole else "starting")
        bar = line.split()[1]
        assert len(bar) == BAR, line
        assert set(bar) <= set("━╸╺")
    assert len(lines[-1].rstrip()) == min(length, 80)


def test_more_bars_than_fit_are_counted() -> None:
    lines = shown([(f"unit {k}", k, 100) for k in range(BARS + 3)])

    assert f"unit {BARS - 1} " in lines[BARS - 1]
    assert lines[BARS].strip() == "… and 3 more"


def test_a_notebook_is_live_and_a_pipe_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not RunProgress().is_live

    monkeypatch.setitem(sys.modules, "ipykernel", ModuleType("ipykernel"))
    assert RunProgress().is_live


def test_changes_of_conditions_are_told_once_with_the_number_of_runs(
    capsys: pytest.CaptureFixture[str],
) -> None:
    node = {"workers": None, "retries": 0, "fail_fast": False, "timeout": None, "batch": None}
    lists = {"fresh": False, "zip": [], "union": [], "exclude": []}
    progress = SweepProgress(Plan([], [], 1, 1, (), SweepSettings.of({**node, **lists})))
    threads, device = "threads 1 then, 2 now", "device cpu then, cuda now"
    changes = [threads, device, threads]

    progress.follow(Resumed(Run(Path(f"{k}")), each) for k, each in enumerate(changes))

    assert [line.partition("] ")[2] for line in capsys.readouterr().err.splitlines()] == [
        f"2 runs went on under other conditions, so that last bits may differ: {threads}",
        f"1 run went on under other conditions, so that last bits may differ: {device}",
    ]
