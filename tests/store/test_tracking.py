"""The mirror on W&B, with the real client and a stand-in for the server (see wandb_stub)."""

import math
import os
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest.mock import Mock

import numpy as np
import pytest
from PIL import Image

from isoexp.errors import UserError
from isoexp.store import tracking
from isoexp.store.tracking import Mirror, NoLogger, WandB

from ..wandb_stub import WandBStub

KEY = "a" * 40

MARGIN_S = 8.0
"""What a busy machine may add to a time that is bounded: wandb's service takes 0.5 s to start."""


@pytest.fixture(autouse=True)
def session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Begins as a new process of a user who is not logged in, and ends W&B's service."""

    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("NETRC", str(tmp_path / "home" / ".netrc"))
    monkeypatch.setattr(tracking, "_paused_until", 0.0)
    monkeypatch.setattr(tracking, "_open", set())
    end_session()  # a service that another file's test has left knows another server
    yield

    end_session()


def end_session() -> None:
    """Waits for the runs that end in the background, then for W&B's service, as an exit does."""

    for thread in threading.enumerate():
        if thread is not threading.main_thread() and not thread.daemon:
            thread.join()
    if "wandb" in sys.modules:
        sys.modules["wandb"].teardown()


@pytest.fixture
def stub(monkeypatch: pytest.MonkeyPatch) -> Iterator[WandBStub]:
    """A server, and a user who is logged in to it."""

    with WandBStub() as stub:
        log_in(monkeypatch, stub.url)
        yield stub


def log_in(monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    monkeypatch.setenv("WANDB_BASE_URL", url)
    monkeypatch.setenv("WANDB_API_KEY", KEY)


def closed_port() -> str:
    """Returns the address of a server that is not there."""

    with socket.create_server(("127.0.0.1", 0)) as server:
        return f"http://127.0.0.1:{server.getsockname()[1]}"


def start(logger: WandB | NoLogger, folder: Path, id: str = "iso-1") -> Mirror:
    return logger.start(
        folder, id=id, name=f"the {id}", group="study", tags=["mlp"], config={"model": {"width": 8}}
    )


def finish(mirror: Mirror, failed: bool = False, **what: Any) -> None:
    what = {"summary": {}, "histograms": {}, "figures": {}} | what
    mirror.finish(**what, failed=failed)


def runs(folder: Path) -> list[str]:
    """Returns the kind of each run in a folder of W&B's, offline or online, that holds rows."""

    files = (folder / "wandb").glob("*/run-iso-1.wandb")

    return [file.parent.name.split("run-")[0] + "run" for file in files]


def steps(stub: WandBStub, run: str = "iso-1") -> list[int]:
    return [row["_step"] for row in stub.history(run)]


@pytest.mark.parametrize("logger", [NoLogger(), WandB(mode="disabled")])
def test_nothing_is_written_where_nothing_is_asked_for(logger: Any, tmp_path: Path) -> None:
    mirror = start(logger, tmp_path / "run")
    mirror.log({"step": 1, "train/loss": 0.5})
    finish(mirror)

    assert not (tmp_path / "run").exists()


def test_wandb_mode_disables_auto(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WANDB_MODE", "disabled")
    finish(start(WandB(), tmp_path / "run"))

    assert not (tmp_path / "run").exists()


@pytest.mark.slow
def test_an_offline_run_lies_in_its_folder(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror = start(WandB(mode="offline"), tmp_path)
    mirror.log({"step": 0, "train/loss": 0.5})
    mirror.log({"step": 1, "train/loss": math.nan, "test/loss": None})
    finish(mirror, summary={"test/accuracy": 0.9})
    end_session()  # on a busy machine, W&B's service writes the last of it as it ends

    (file,) = tmp_path.glob("wandb/*/*.wandb")
    assert runs(tmp_path) == ["offline-run"]
    for text in (b"iso-1", b"study", b"train/loss", b"test/accuracy"):
        assert text in file.read_bytes()
    assert b"test/loss" not in file.read_bytes(), "None is dropped"
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
def test_a_killed_offline_run_is_replaced(tmp_path: Path) -> None:
    with training(tmp_path) as process:
        process.kill()
    killed = list(tmp_path.glob("iso-1/wandb/offline-run-*"))

    finish(start(WandB(), tmp_path / "iso-1"))

    assert len(killed) == 1
    assert runs(tmp_path / "iso-1") == ["offline-run"]


def test_auto_is_offline_without_a_key_and_says_nothing(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    finish(start(WandB(), tmp_path))

    assert runs(tmp_path) == ["offline-run"]
    assert capfd.readouterr() == ("", "")


def test_online_without_a_key_is_offline_and_says_so(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    finish(start(WandB(mode="online"), tmp_path))

    assert runs(tmp_path) == ["offline-run"]
    assert_one_line(capfd, "No API key")


def assert_one_line(capfd: pytest.CaptureFixture[str], what: str) -> None:
    out, err = capfd.readouterr()

    assert out == ""
    assert err.startswith("isoexp: W&B: ")
    assert err.count("\n") == 1, f"more than a line: {err}"
    assert what in err


def test_the_server_is_sent_the_run(
    tmp_path: Path, stub: WandBStub, capfd: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "rays.png")

    mirror = start(WandB(project="bird", tags=("paper",)), tmp_path)
    mirror.log({"step": 0, "train/loss": 0.5, "test/loss": None})
    mirror.log({"step": 5, "train/loss": math.nan, "test/loss": 0.25})
    finish(
        mirror,
        summary={"test/accuracy": 0.75, "test/r2": None},
        histograms={"theta_rad": np.array([0.1, 0.2, math.nan, math.inf])},
        figures={"rays": tmp_path / "rays.png"},
    )

    run = stub.variables("UpsertBucket")[0]
    assert (run["name"], run["project"], run["groupName"]) == ("iso-1", "bird", "study")
    assert run["displayName"] == "the iso-1"
    assert sorted(run["tags"]) == ["mlp", "paper"]
    assert '"width":8' in run["config"]
    assert '"1":"step"' in stub.variables("UpsertBucket")[-1]["config"], "step is the x-axis"

    first, last = stub.history("iso-1")
    assert {k: first[k] for k in first if not k.startswith("_")} == {"step": 0, "train/loss": 0.5}
    assert (last["_step"], last["step"], last["test/loss"]) == (5, 5, 0.25)
    assert str(last["train/loss"]).lower() == "nan", "what is undefined is NaN, and does not vanish"
    assert "test/loss" not in first, "None is dropped"
    assert sum(last["theta_rad"]["values"]) == 2, "what is not finite is no part of a histogram"
    assert last["rays"]["_type"] == "image-file"
    assert any(file.startswith("media/images/rays") for file in stub.uploads)

    assert stub.summary("iso-1")["test/accuracy"] == 0.75
    assert stub.summary("iso-1")["test/r2"] == "NaN"
    assert stub.exit_codes("iso-1") == [0]
    assert capfd.readouterr() == ("", "")


def test_netrc_logs_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with WandBStub() as stub:
        monkeypatch.setenv("WANDB_BASE_URL", stub.url)
        netrc = tmp_path / "home" / ".netrc"
        netrc.parent.mkdir()
        netrc.write_text(f"machine {stub.url.removeprefix('http://')} login user password {KEY}\n")

        finish(start(WandB(), tmp_path))

    assert stub.exit_codes("iso-1") == [0]


def test_many_and_long_tags_are_no_trouble(tmp_path: Path, stub: WandBStub) -> None:
    """Choices are tags of a run by themselves, of any length; a net may have none of a group."""

    tags, group = ["mlp", "x" * 100, "", "mlp"], "g" * 200
    mirror = WandB(tags=("mlp", "y" * 64)).start(
        tmp_path, id="iso-1", name="n" * 200, group=group, tags=tags, config={}
    )
    finish(mirror)

    sent = stub.variables("UpsertBucket")[0]
    assert sorted(sent["tags"]) == ["mlp", "x" * 64, "y" * 64]
    assert (sent["displayName"], sent["groupName"]) == ("n" * 128, "g" * 128)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        *(({"project": f"a{c}b"}, f"logger.project=a{c}b: W&B refuses it") for c in "/\\#?%:"),
        ({"project": ""}, "logger.project must be a name, got ''"),
        ({"project": " "}, "logger.project must be a name, got ' '"),
        ({"project": 129 * "a"}, "exceeded 128 characters"),
        ({"entity": ""}, "logger.entity must be the name of a user or a team"),
        ({"entity": "team/project"}, "logger.entity must be the name of a user or a team"),
        ({"entity": "a b"}, "logger.entity must be the name of a user or a team"),
        ({"tags": ("",)}, "logger.tags must be texts of 1 to 64 characters, got ''"),
        ({"tags": ("good", " ")}, "logger.tags must be texts of 1 to 64 characters, got ' '"),
        ({"tags": ("good", 65 * "x")}, "logger.tags must be texts of 1 to 64 characters"),
        ({"mode": "on"}, "logger.mode=on: W&B refuses it: Input should be 'online', 'offline'"),
        ({"timeout_s": 0.0}, "logger.timeout_s must be positive, got 0.0"),
        ({"timeout_s": -1.0}, "logger.timeout_s must be positive"),
        ({"timeout_s": math.nan}, "logger.timeout_s must be positive"),
        ({"timeout_s": math.inf}, "logger.timeout_s must be positive"),
    ],
)
def test_a_mistake_is_no_outage(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UserError, match=re.escape(told)) as error:
        WandB(**settings)
    assert "\n" not in str(error.value)

    WandB(**{**settings, "mode": "disabled"})  # of what is off nothing is asked


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("WANDB_BASE_URL", "nonsense"),
        ("WANDB_BASE_URL", ""),
        ("WANDB_BASE_URL", "https://wandb.ai"),
        ("WANDB_MODE", "bogus"),
        ("WANDB_API_KEY", " secret"),
        ("WANDB_ENTITY", "a/b"),
        ("WANDB_PROJECT", "a/b"),
        ("WANDB_TAGS", "a,,b"),
        ("WANDB_SILENT", "maybe"),
    ],
)
def test_a_mistake_in_the_environment_is_none_either(
    key: str, value: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(key, value)
    with pytest.raises(UserError, match=f"^{key}") as error:
        WandB()
    assert "\n" not in str(error.value)
    assert "secret" not in str(error.value)


def test_a_failed_run_is_shown_as_failed(tmp_path: Path, stub: WandBStub) -> None:
    finish(start(WandB(), tmp_path), failed=True)

    assert stub.exit_codes("iso-1") == [1]


def test_runs_that_are_open_at_once_keep_their_rows_apart(tmp_path: Path, stub: WandBStub) -> None:
    mirrors = {id: start(WandB(), tmp_path / id, id) for id in ("iso-1", "iso-2")}

    for step in range(3):
        for k, mirror in enumerate(mirrors.values()):
            mirror.log({"step": step, "train/loss": 10 * k + step})
    for mirror in mirrors.values():
        finish(mirror)

    assert [row["train/loss"] for row in stub.history("iso-1")] == [0, 1, 2]
    assert [row["train/loss"] for row in stub.history("iso-2")] == [10, 11, 12]


def test_a_resumed_run_sends_only_what_the_server_lacks(
    tmp_path: Path,
    stub: WandBStub,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    sent = []
    for last in (3, 5):
        mirror = start(WandB(), tmp_path)
        spy = Mock(wraps=mirror.run.log)
        monkeypatch.setattr(mirror.run, "log", spy)
        for step in range(last):
            mirror.log({"step": step, "train/loss": 1 / (step + 1)})
        finish(mirror)
        sent += [call.kwargs["step"] for call in spy.call_args_list]

    assert sent == steps(stub) == [0, 1, 2, 3, 4]
    assert runs(tmp_path) == ["run"]
    assert capfd.readouterr() == ("", "")


@pytest.mark.slow
@pytest.mark.parametrize("server", ["absent", "fail", "hang"])
def test_a_server_that_cannot_start_a_run_is_asked_once(
    server: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    with WandBStub("fail" if server == "absent" else server) as stub:
        log_in(monkeypatch, closed_port() if server == "absent" else stub.url)

        began = time.monotonic()
        mirrors = [start(WandB(timeout_s=0.5), tmp_path / id, id) for id in ("iso-1", "iso-2")]
        for mirror in mirrors:
            mirror.log({"step": 0, "train/loss": 0.5})
            finish(mirror)
        assert time.monotonic() - began < 0.5 + MARGIN_S

    assert runs(tmp_path / "iso-1") == ["offline-run"]
    assert len(list(tmp_path.glob("iso-2/wandb/offline-run-*/*.wandb"))) == 1
    assert_one_line(capfd, "offline")


@pytest.mark.slow
def test_a_failing_start_leaves_the_runs_that_are_open(
    tmp_path: Path, stub: WandBStub, capfd: pytest.CaptureFixture[str]
) -> None:
    first = start(WandB(), tmp_path / "1")
    stub.behaviour = "fail"
    second = start(WandB(timeout_s=0.5), tmp_path / "2", "iso-2")
    stub.behaviour = "answer"

    for mirror in (first, second):
        mirror.log({"step": 0, "train/loss": 0.5})
    finish(second)
    finish(first)

    assert_one_line(capfd, "iso-2")
    end_session()
    assert steps(stub) == [0]


def test_a_row_that_wandb_refuses_ends_the_mirror_in_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    mirror = start(WandB(mode="offline"), tmp_path)

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no\nroom")

    monkeypatch.setattr(mirror.run, "log", refuse)
    for step in range(3):
        mirror.log({"step": step})
    finish(mirror)

    assert_one_line(capfd, "no room")


def test_a_figure_that_is_not_there_costs_a_line_and_no_more(
    tmp_path: Path, stub: WandBStub, capfd: pytest.CaptureFixture[str]
) -> None:
    finish(start(WandB(), tmp_path), figures={"rays": tmp_path / "rays.png"}, failed=True)

    assert_one_line(capfd, "rays.png")
    assert stub.exit_codes("iso-1") == [1]


TRAINING = """
import sys, time
from pathlib import Path
from isoexp.store.tracking import WandB

folder, timeout_s = Path(sys.argv[1]), float(sys.argv[2])
logger = WandB(timeout_s=timeout_s)
mirrors = [
    logger.start(folder / id, id=id, name=id, group="", tags=[], config={})
    for id in (f"iso-{k}" for k in range(1, 11))
]
print("started", flush=True)
sys.stdin.readline()

began = time.monotonic()
for step in range(50):
    for mirror in mirrors:
        mirror.log({"step": step, "train/loss": 0.5})
print("logged", time.monotonic() - began, flush=True)
for mirror in mirrors:
    mirror.finish(summary={"x": 1}, histograms={}, figures={}, failed=False)
"""


def training(folder: Path) -> subprocess.Popen[str]:
    """Returns a python that has started ten runs; it trains them once it is sent a line."""

    process = subprocess.Popen(
        [sys.executable, "-c", TRAINING, str(folder), "1.5"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout
    assert process.stdout.readline() == "started\n"

    return process


@pytest.mark.slow
@pytest.mark.parametrize("behaviour", ["fail", "hang"])
def test_a_server_that_goes_away_holds_up_neither_training_nor_exit(
    behaviour: Any, tmp_path: Path, stub: WandBStub
) -> None:
    with training(tmp_path) as process:
        stub.behaviour = behaviour
        began = time.monotonic()
        out, err = process.communicate("\n", timeout=60)
        took_s = time.monotonic() - began

    assert process.returncode == 0
    assert float(out.split()[1]) < 3.0, "500 rows take 0.2 s"
    assert took_s < 2 * 1.5 + MARGIN_S, "one wait for the first run, one for all others"

    lines = err.splitlines()
    assert lines
    assert all(line.startswith("isoexp: W&B: run iso-") for line in lines), err
    assert "wandb sync" in lines[0]
