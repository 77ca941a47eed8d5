"""Tests for isoexp.experiment: what a finished run has lost is made again, and said in a line."""

import os
import shutil
from pathlib import Path

import pytest
import torch

from isoexp.errors import Unreadable
from isoexp.experiment.job import AlreadyDone, Damaged, Probed, Resumed
from isoexp.experiment.probing import probe_stored, stored
from isoexp.experiment.run import Aborted
from isoexp.store import checkpoint
from isoexp.store.run import Run
from isoexp.store.study import runs_below

from .runs import TINY, assert_equal, run

pytestmark = pytest.mark.usefixtures("folder", "undrawn")

ASKED = (*TINY, "epochs=2", "snapshots=2", "probe=[spectrum,decisions]")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run with probes and snapshots."""

    folder = tmp_path_factory.mktemp("whole")
    run(*ASKED, f"out={folder}")

    return folder


@pytest.fixture
def it(whole: Path, folder: Path) -> Run:
    """A copy of it, where runs are looked for."""

    shutil.copytree(whole, "runs", symlinks=True)
    (found,) = runs_below(Path("runs"))

    return found


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def emptied(path: Path) -> None:
    path.write_bytes(b"")


def zeroed(path: Path) -> None:
    """A file whose blocks a crash has left unwritten has its size."""

    path.write_bytes(bytes(path.stat().st_size))


def made_a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


DAMAGES = (cut, emptied, zeroed, made_a_folder, Path.unlink)


@pytest.mark.parametrize("damage", DAMAGES, ids=lambda each: each.__name__)
@pytest.mark.parametrize("name", ["checkpoint.pt", "summary.json", "metrics.parquet"])
def test_a_run_that_lost_a_file_is_trained_again(
    name: str, damage, it: Run, whole: Path, folder: Path
) -> None:
    damage(it.folder / name)

    events = run(*ASKED)
    (told,) = [each for each in events if isinstance(each, Damaged)]
    assert told.run == it
    assert told.reason.startswith(name)
    assert_equal(whole, folder / "runs")
    assert run(*ASKED) == [AlreadyDone(it)]


@pytest.mark.parametrize("name", ["config.yaml", "provenance.json", "snapshots.pt", "state.json"])
def test_so_is_one_that_lost_what_probes_need(
    name: str, it: Run, whole: Path, folder: Path
) -> None:
    cut(it.folder / name)

    assert [each.run for each in run(*ASKED) if isinstance(each, Damaged)] == [it]
    assert_equal(whole, folder / "runs")
    assert run(*ASKED) == [AlreadyDone(it)]


def test_a_folder_in_the_place_of_the_state_is_none_of_a_run(
    it: Run, whole: Path, folder: Path
) -> None:
    made_a_folder(it.folder / "state.json")

    assert [each.run for each in run(*ASKED) if isinstance(each, Damaged)] == [it]
    assert_equal(whole, folder / "runs")


@pytest.mark.parametrize("damage", DAMAGES[:3], ids=lambda each: each.__name__)
def test_of_a_run_that_lost_a_table_that_probe_alone_is_put_again(damage, it: Run) -> None:
    weights = (it.folder / "checkpoint.pt").stat().st_mtime_ns
    damage(it.folder / "probes/spectrum.parquet")

    events = run(*ASKED)
    assert [type(each) for each in events[:2]] == [Damaged, Probed]
    assert [each.name for each in events if isinstance(each, Probed)] == ["spectrum"]
    assert (it.folder / "checkpoint.pt").stat().st_mtime_ns == weights
    assert run(*ASKED) == [AlreadyDone(it)]


def test_weights_are_read_in_full_where_they_are_used(it: Run, whole: Path, folder: Path) -> None:
    """A byte in the middle, of a file that is too large to be looked through each time."""

    path = it.folder / "checkpoint.pt"
    state = it.state
    it.write_state("completed", files={**state["files"], path.name: [path.stat().st_size, None]})
    content = bytearray(path.read_bytes())
    weight = next(iter(torch.load(path)["model"].values())).numpy().tobytes()
    content[content.index(weight)] ^= 1
    path.write_bytes(content)

    assert run(*ASKED) == [AlreadyDone(it)]  # nobody needed them
    job = stored(it, probe={"spectrum": it_probe(it)}, force=True)
    (event,) = probe_stored(job, it)
    assert isinstance(event, Aborted)
    assert event.reason.startswith("checkpoint.pt must hold the trained weights")
    assert it.status == "failed"
    run(*ASKED)
    assert_equal(whole, folder / "runs")

    # Asked for another probe, the command that trains finds it out by itself.
    path.write_bytes(content)
    it.write_state("completed", files={**it.state["files"], path.name: [len(content), None]})
    events = run(*ASKED[:-1], "probe=[spectrum,decisions,compression]")
    assert [each.run for each in events if isinstance(each, Damaged)] == [it]
    assert_equal(whole, folder / "runs")


def it_probe(run: Run) -> dict:
    import yaml

    return yaml.safe_load((run.folder / "config.yaml").read_text())["probe"]["spectrum"]


def test_damage_is_no_run_to_be_probed(it: Run) -> None:
    cut(it.folder / "config.yaml")

    with pytest.raises(Unreadable, match=r"config.yaml has \d+ of \d+ bytes; train again"):
        stored(it)


@pytest.mark.parametrize("damage", [cut, emptied, zeroed], ids=lambda each: each.__name__)
def test_a_training_goes_on_from_the_checkpoint_before(
    damage, whole: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The last one is damaged; the one before it, and the rows, are not."""

    save = checkpoint.save

    def interrupted(where: Path, step: int, content: dict) -> None:
        save(where, step, content)
        if step == 4:
            raise KeyboardInterrupt

    monkeypatch.setattr("isoexp.experiment.train.SAVE_EVERY_S", -1.0)
    monkeypatch.setattr("isoexp.experiment.train.SAVE_SHARE", 1e9)
    monkeypatch.setattr(checkpoint, "save", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(*ASKED)
    monkeypatch.setattr(checkpoint, "save", save)
    (it,) = runs_below(Path("runs"))
    damage(it.folder / checkpoint.CURRENT)

    events = run(*ASKED)
    assert checkpoint.common_step([it.folder]) == 6
    assert next(each.step for each in events if hasattr(each, "steps")) == 4  # from 3 on
    assert not [each for each in events if isinstance(each, Resumed)]
    assert_equal(whole, folder / "runs")


@pytest.mark.slow
def test_a_checkpoint_of_another_network_begins_anew(
    whole: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It can be read, and does not fit: no circle of failures."""

    monkeypatch.setattr("isoexp.experiment.record.Record.complete", lambda self: 1 / 0)
    run(*ASKED)
    monkeypatch.undo()
    monkeypatch.chdir(folder)
    (it,) = runs_below(Path("runs"))
    assert it.status == "failed"
    path = it.folder / checkpoint.CURRENT
    torch.save({"step": 6, "model": {"w": torch.ones(3)}, "optimizer": [], "meter": {}}, path)

    run(*ASKED)
    assert it.status == "completed"
    assert_equal(whole, folder / "runs")


def test_runs_of_before_that_tell_of_no_files_are_believed_if_they_can_be_read(it: Run) -> None:
    import json

    def forget() -> None:
        state = it.state
        del state["files"]
        (it.folder / "state.json").write_text(json.dumps(state))

    forget()
    (it.folder / "provenance.json").unlink()
    assert run(*ASKED) == [AlreadyDone(it)]
    cut(it.folder / "checkpoint.pt")
    assert type(run(*ASKED)[0]) is Damaged
