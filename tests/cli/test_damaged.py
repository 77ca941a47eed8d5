"""Damaged runs among whole ones: one line for each, and the rest is shown."""

import shutil
import warnings
from pathlib import Path

import pytest

import isoexp as package
from isoexp.errors import Unreadable
from isoexp.figures import arms
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from ..commands import Command
from ..experiment.runs import TINY, run
from ..report.studies import claimed, two_arms

pytestmark = pytest.mark.usefixtures("undrawn")

DEEP = "[" * 100_000
CONTENTS = ("", "{", "[]", "5", "null", DEEP, '{"a":' * 100_000, "\x00\xff", "nonsense\n" * 9)
"""What none of the files may hold."""

TYPES = (
    '{"state": 5}', '{"state": "done"}', '{"state": "completed", "columns": [1]}',
    '{"state": "completed", "words": {"a": 1}}', '{"state": "completed", "probes": "spectrum"}',
    '{"state": "completed", "files": {"summary.json": 5}}', '{"state": "completed", "step": "a"}',
    '{"state": "running", "heartbeat": "now"}', '{"state": "running", "heartbeat": 1e300}',
    '{"state": "failed", "reason": ["a"]}', '{"state": "completed", "together": [1]}',
    '{"state": "completed", "unmeasured": {"a": 1}}', '{"state": "completed", "before": 5}',
    '{"state": "running", "pid": 1e99}', '{"state": "completed", "columns": {"seed": "a"}}',
)  # fmt: skip
"""JSON of wrong types in state.json."""


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two finished runs."""

    folder = tmp_path_factory.mktemp("trained")
    run(*TINY, "epochs=1", "seeds=2", "probe=[spectrum]", f"out={folder}", "figures=false")

    return folder


@pytest.fixture(autouse=True)
def sketched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Figures are empty drawings: they are tested apart."""

    monkeypatch.setattr(arms, "svg", lambda how, table: b"<svg/>")


@pytest.fixture
def two(trained: Path, folder: Path) -> tuple[Run, Run]:
    """The first to be damaged, the second to be shown."""

    shutil.copytree(trained, "runs")
    first, second = runs_below(Path("runs"))

    return first, second


def is_shown(two: tuple[Run, Run], isoexp: Command, of: str) -> None:
    """Each command tells of the damage in a line, and shows the other run."""

    bad, good = two
    listed = isoexp("ls")
    assert (listed.code, listed.err) == (0, "")
    rows = {name: line for line in listed.out.splitlines() for name in ("damaged", "completed")
            if name in line}  # fmt: skip
    assert bad.folder.name[-8:] in rows["damaged"]
    assert of in rows["damaged"]
    assert good.folder.name[-8:] in rows["completed"]

    assert isoexp("show", str(bad.folder)).out.splitlines()[1].startswith("  state     damaged: ")
    reported = isoexp("report")
    assert reported.code == 0
    (line,) = reported.err.splitlines()
    assert line.startswith(f"damaged: {bad.folder}: {of}")
    assert good.folder.name[-8:] not in line


@pytest.mark.parametrize("content", [*CONTENTS, *TYPES], ids=range(len(CONTENTS + TYPES)))
def test_a_damaged_state_is_a_line(content: str, two: tuple[Run, Run], isoexp: Command) -> None:
    (two[0].folder / "state.json").write_text(content)

    is_shown(two, isoexp, "state.json")


@pytest.mark.parametrize("content", [DEEP, TYPES[0]], ids=["nested", "wrong"])
def test_probes_and_figures_go_on_with_the_others(
    content: str, two: tuple[Run, Run], isoexp: Command
) -> None:
    (two[0].folder / "state.json").write_text(content)

    probed = isoexp("probe", "runs", "probe=[spectrum]", "figures=false")
    assert probed.code == 1
    assert [line for line in probed.err.splitlines() if str(two[0].folder) in line]
    assert str(two[1].folder) in probed.out
    drawn = isoexp("figures", "runs")
    assert drawn.code == 1
    assert f"not drawn: {two[0].folder}: state.json" in drawn.err
    assert "1 drawn" in drawn.out


@pytest.mark.parametrize("content", [*CONTENTS, '{"test/loss": "a"}', '{"test/loss": [1]}',
                                     f'{{"test/loss": 1{"0" * 400}}}'], ids=range(12))  # fmt: skip
def test_so_is_a_damaged_summary(content: str, two: tuple[Run, Run], isoexp: Command) -> None:
    (two[0].folder / "summary.json").write_text(content)

    is_shown(two, isoexp, "summary.json")


@pytest.mark.parametrize("name", ["metrics", "probes/spectrum"])
@pytest.mark.parametrize("damage", ["cut", "emptied", "another", "flipped"])
def test_so_is_a_damaged_table(
    damage: str, name: str, two: tuple[Run, Run], isoexp: Command
) -> None:
    path = two[0].folder / f"{name}.parquet"
    content = path.read_bytes()
    middle = len(content) // 8
    path.write_bytes({
        "cut": content[: len(content) // 2],
        "emptied": b"",
        "another": b"PAR1" + bytes(len(content)) + b"PAR1",
        "flipped": content[:middle] + bytes([content[middle] ^ 8]) + content[middle + 1 :],
    }[damage])  # fmt: skip

    is_shown(two, isoexp, path.name)
    assert isoexp("figures", "runs").code in (0, 1)
    if damage == "flipped":
        return
    with pytest.warns(UserWarning, match=f"left out: cannot read {path}"):
        rows = package.read("runs", path.stem)
    assert set(rows["seed"]) == {1}
    (two[1].folder / f"{name}.parquet").write_bytes(b"")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(Unreadable):
            package.read("runs", path.stem)


@pytest.mark.parametrize("content", ["", "{", DEEP], ids=["empty", "cut", "nested"])
@pytest.mark.parametrize("name", ["config.yaml", "provenance.json", "history.jsonl"])
def test_what_only_some_commands_read_stops_no_other(
    name: str, content: str, two: tuple[Run, Run], isoexp: Command
) -> None:
    (two[0].folder / name).write_text(content)

    assert isoexp("ls").out.count("completed") >= 1
    assert isoexp("show", str(two[0].folder)).code == 0
    assert isoexp("report").code == 0
    probed = isoexp("probe", "runs", "probe=[decisions]", "figures=false")
    assert probed.code == int(name == "config.yaml")
    assert len([line for line in probed.err.splitlines() if "not probed" in line]) == probed.code
    assert (two[1].folder / "probes/decisions.parquet").exists()


def test_half_a_configuration_of_a_run_without_stamps_is_a_line(
    two: tuple[Run, Run], isoexp: Command
) -> None:
    """As older versions left it."""

    import json

    bad, _ = two
    state = bad.state
    del state["files"]
    (bad.folder / "state.json").write_text(json.dumps(state))
    (bad.folder / "config.yaml").write_text("model: {a: [")

    line, _ = isoexp("probe", "runs", "probe=[spectrum]").err.splitlines()
    assert line.startswith(f"not probed: {bad.folder}/config.yaml must say how the run was trained")
    assert bad.status == "failed"  # the command that trains makes it again
    assert isoexp("train", *TINY, "epochs=1", "seeds=2", "probe=none").code == 0
    assert bad.status == "completed"


@pytest.mark.parametrize("content", [*CONTENTS, '{"step": "a"}\n', '{"loss": 1}\n', "[1]\n"],
                         ids=range(12))  # fmt: skip
def test_garbage_among_the_rows_fails_in_one_line_and_is_trained_again(
    content: str, folder: Path, isoexp: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The handler of a failure reads the rows, too."""

    from isoexp.experiment.record import Record

    def spoilt(self: Record) -> None:
        with self.run.lines.open("a") as file:
            file.write(content)
        raise RuntimeError("broke")

    line = ("train", *TINY, "epochs=1", "probe=none")
    with monkeypatch.context() as patch:
        patch.setattr(Record, "complete", spoilt)
        failed = isoexp(*line)
    assert failed.code == 1
    assert len(failed.err.splitlines()) == 1
    assert "RuntimeError: broke" in failed.err
    assert isoexp(*line).code == 0
    assert len(package.read("runs")) == 4


@pytest.mark.parametrize("content", [
    *CONTENTS, '{"claim": 5}', '{"claim": {}}', '{"claim": {"name": ["a"]}, "registered": 1}',
    '{"registered": "now", "claim": {}}', '{"claim": {"metrics": 5}, "versions": []}',
], ids=range(14))  # fmt: skip
def test_a_damaged_claim_is_a_line(content: str, folder: Path, isoexp: Command) -> None:
    study = Path("runs/mine")
    a, b = (0.80, 0.81, 0.82, 0.80), (0.90, 0.92, 0.91, 0.91)
    runs = two_arms(study, a, b)
    claimed(study, runs)
    bad = claimed(study, runs, name="worse")
    (bad.folder / "claim.json").write_text(content)

    told = isoexp("report")
    assert told.code == 0
    (line,) = told.err.splitlines()
    assert line.startswith(f"damaged: {bad.folder}/claim.json must hold a claim")
    assert line.count(str(bad.folder)) == 1
    assert "better  supported" in told.out


@pytest.mark.parametrize("content", [
    *CONTENTS, '{"arms": 5}', '{"arms": {"a": {}}}', '{"tuned": {"a": {"tried": [{}]}}}',
    '{"trials": {"a": [5]}}',
], ids=range(13))  # fmt: skip
def test_so_are_the_runs_of_a_claim(content: str, folder: Path, isoexp: Command) -> None:
    study = Path("runs/mine")
    a, b = (0.80, 0.81, 0.82, 0.80), (0.90, 0.92, 0.91, 0.91)
    bad = claimed(study, two_arms(study, a, b))
    (bad.folder / "runs.json").write_text(content)

    told = isoexp("report")
    assert told.code == 0
    assert told.err.splitlines() == [] or "runs.json" in told.err
    assert "better  inconclusive" in told.out
