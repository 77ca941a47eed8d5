"""Tests for isoexp report, as it is typed."""

import subprocess
import sys
from pathlib import Path

import pytest

from isoexp.figures import arms

from ..commands import Command
from ..report.studies import claimed, failed, finished, two_arms

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)


@pytest.fixture(autouse=True)
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are empty drawings: they are tested apart."""

    monkeypatch.setattr(arms, "svg", lambda how, table: b"<svg/>")


def leave_claim(name: str) -> Path:
    study = Path(name)
    claimed(study, two_arms(study, A, BETTER))

    return study


def test_a_folder_becomes_a_page_and_its_twin(isoexp: Command) -> None:
    leave_claim("runs/mine")
    outcome = isoexp("report", "runs/mine")

    assert outcome.code == 0
    assert outcome.out.splitlines() == [
        "claim   verdict",
        "better  supported",
        "",
        "runs/mine/report/index.html",
        "runs/mine/report/report.md",
    ]
    assert "B is better" in Path("runs/mine/report/index.html").read_text()
    assert len(list(Path("runs/mine/report").glob("*/*"))) == 3 + 2 * 4
    assert isoexp("report", "runs/mine").code == 0  # its own files are no runs


def test_several_folders_are_one_page_and_all_of_runs_is_the_default(isoexp: Command) -> None:
    leave_claim("runs/mine")
    finished(Path("runs/plain"), 1, 0, {"test/accuracy": 0.5})
    failed(Path("runs/third"), 2, 0, "diverged")

    assert "runs/report/index.html" in isoexp("report", "runs/mine", "runs/plain").out
    both = Path("runs/report/report.md").read_text()
    assert "Study plain" in both
    assert "Study third" not in both
    assert "runs/report/index.html" in isoexp("report").out
    assert "Study third" in Path("runs/report/report.md").read_text()


def test_out_and_readme_are_where_they_are_asked_for(isoexp: Command) -> None:
    leave_claim("runs/mine")
    Path("README.md").write_text("<!-- claims -->\n<!-- /claims -->\n")
    outcome = isoexp("report", "runs", "--out", "docs/claims", "--readme", "README.md")

    assert outcome.out.splitlines()[-3:] == [
        "docs/claims/index.html",
        "docs/claims/report.md",
        "README.md",
    ]
    assert "isoexp reproduce better" in Path("README.md").read_text()
    assert not Path("runs/report").exists()


def test_two_folders_are_compared(isoexp: Command) -> None:
    leave_claim("runs/one")
    leave_claim("runs/two")
    outcome = isoexp("report", "--compare", "runs/one", "runs/two")

    assert outcome.out.splitlines() == ["runs/two/report/compare/index.html"]
    assert "one (A) and two (B)" in Path("runs/two/report/compare/report.md").read_text()
    assert isoexp("report", "--compare", "runs/one", "runs/two", "--out", "x").code == 0
    assert Path("x/index.html").exists()


def test_two_runs_are_compared_by_the_ids_that_ls_prints(isoexp: Command) -> None:
    for number, value in ((1, 0.5), (2, 0.6)):
        finished(
            Path("runs/plain"), number, 0, {"test/accuracy": value}, [f"optimizer.lr={number}"]
        )
    outcome = isoexp("report", "--compare", "00000001", "plain/00000002")

    assert outcome.out.splitlines() == ["runs/plain/report/compare/index.html"]
    text = Path("runs/plain/report/compare/report.md").read_text()
    assert "| `optimizer.lr` | `1` | `2` |" in text
    assert not list(Path("runs/plain").glob("run-*/report"))  # the folder of a run is its own


def test_methods_are_written_beside_the_page(isoexp: Command) -> None:
    leave_claim("runs/mine")
    outcome = isoexp("report", "--methods", "runs/mine")

    assert outcome.out.splitlines() == ["runs/mine/report/methods.md"]
    text = Path("runs/mine/report/methods.md").read_text()
    assert text.startswith("# Methods\n")
    assert "Networks of B are more accurate." in text
    assert not Path("runs/mine/report/index.html").exists()


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["empty"], "a report needs runs"),
        (["absent"], "needs a folder of runs, got absent"),
        (["--compare", "empty", "absent"], "needs a folder of runs, got absent"),
        (["--compare", "empty"], "expected 2 arguments"),
        (["--compare", "empty", "empty"], "in common"),
        (["empty", "--compare", "empty", "empty"], "alone"),
        (["--methods", "empty"], "methods need claims, got none below empty"),
        (["--methods", "runs/mine", "--readme", "x"], "alone"),
        (["--ot", "x"], "did you mean --out?"),
        (["runs/mine", "--readme", "absent.md"], "must be a text file"),
    ],
)
def test_mistakes_are_one_line_and_code_2(isoexp: Command, words: list[str], told: str) -> None:
    leave_claim("runs/mine")
    Path("empty").mkdir()
    outcome = isoexp("report", *words)

    assert outcome.code == 2
    assert told in outcome.err
    assert outcome.err.count("\n") == 1
    assert not list(Path().rglob("index.html"))  # nothing has been written


def test_help(isoexp: Command) -> None:
    assert "--compare A B" in isoexp("report", "--help").out


@pytest.mark.slow
def test_torch_is_not_needed(isoexp: Command) -> None:
    leave_claim("runs/mine")
    code = (
        "import sys; from isoexp.cli import main; code = main(['report', 'runs'])\n"
        "heavy = {'torch', 'hydra', 'omegaconf', 'wandb'} & set(sys.modules)\n"
        "assert not heavy, heavy; sys.exit(code)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)

    assert Path("runs/report/index.html").exists()
