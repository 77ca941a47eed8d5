"""Tests for isoexp.search.trials: nothing is trained, values are made up."""

from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from isoexp.search import Search
from isoexp.search.trials import Trials

LR = "optimizer.lr=tag(log,interval(1e-4,1e-1))"


def searched(*overrides: str) -> Search:
    return Search.of(["data=spheres", "search.trials=10", "search.ask=4", LR, *overrides])


def value(overrides: tuple[str, ...]) -> float:
    """What a trial is told: the learning rate itself."""

    return float(overrides[0].partition("=")[2])


def finish(search: Search, stop_after: int | None = None) -> None:
    """Works on a search, in a process that comes to its end after so many have been told."""

    told = 0
    with Trials.opened(search) as trials:
        while taken := trials.take():
            for asked in taken:
                if told == stop_after:
                    return
                trials.tell(asked, value(asked.overrides))
                told += 1


def history(search: Search) -> list[tuple[int, tuple[str, ...], float | None]]:
    with Trials.opened(search) as trials:
        return sorted((t.number, t.overrides, t.value) for t in trials.told())


@pytest.mark.parametrize("owner", ["../../kept", "/tmp/kept", "..", "", "a\0b", 5])
def test_who_asked_leads_to_no_file_elsewhere(folder: Path, owner: Any) -> None:
    """A journal is a file, which others may have written: what it names is not removed."""

    search = searched(f"name=named-{len(str(owner))}")
    (folder / "runs").mkdir()
    (folder / "runs" / "kept").write_text("mine")
    with Trials.opened(search) as trials:
        for asked in trials.take():
            asked.trial.set_user_attr("owner", owner)
    with Trials.opened(search) as trials:
        assert len(trials.take()) == 4  # they are taken up

    assert (folder / "runs" / "kept").read_text() == "mine"


@pytest.mark.parametrize("sampler", ["tpe", "random"])
def test_stopped_anywhere_it_asks_for_the_same(
    folder: Path, sampler: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    overrides = ["search.trials=16", f"search.sampler={sampler}"]
    whole, parts = (searched(*overrides, f"name={name}") for name in ("whole", "parts"))
    finish(whole)
    for stop_after in (0, 3, 6):
        finish(parts, stop_after)
    with monkeypatch.context() as patch:
        take, calls = Trials._take, iter([False, False, False, True])

        def interrupted(*arguments: Any) -> Any:
            if next(calls):
                raise KeyboardInterrupt
            return take(*arguments)

        patch.setattr(Trials, "_take", interrupted)
        with pytest.raises(KeyboardInterrupt):  # while it asks
            finish(parts)
    finish(parts)

    assert history(parts) == history(whole)
    assert len({overrides for _, overrides, _ in history(whole)}) == 16


def test_two_processes_share_a_search(folder: Path) -> None:
    search = searched()
    with ExitStack() as stack:
        a, b = (stack.enter_context(Trials.opened(search)) for _ in "ab")
        taken = [each.take() for each in (a, b, a, b)]

        assert [len(each) for each in taken] == [4, 4, 2, 0]
        assert sorted(t.number for each in taken for t in each) == list(range(10))
        assert b.elsewhere == 10

        b_has = taken[1]
        stack.pop_all().close()  # both are gone, and have told nothing

    with Trials.opened(search) as c:
        again = c.take()
        assert [each.overrides for each in again[4:8]] == [each.overrides for each in b_has]
        assert len(again) == 10


def test_the_best_of_the_told_values_comes_first(folder: Path) -> None:
    for metric, best in (("valid/accuracy", max), ("valid/loss", min)):
        search = searched(f"search.metric={metric}", f"name={metric}")
        finish(search)
        with Trials.opened(search) as trials:
            values = [told.value or 0 for told in trials.told()]

            assert values == sorted(values, reverse=best is max)
            assert trials.told()[0].value == best(value(t.overrides) for t in trials.told())


def test_what_failed_is_asked_for_anew_but_not_at_once(folder: Path) -> None:
    search = searched("search.trials=4")
    with Trials.opened(search) as trials:
        a, b, c, d = trials.take()
        trials.tell(a, reason="a full disk", failed=True)
        trials.tell(b, reason="diverged")
        trials.tell(c, 0.5)
        trials.tell(d, 0.25)

        assert trials.take() == []
        assert [t.value for t in trials.told()] == [0.5, 0.25, None, None]
        assert {t.reason: t.failed for t in trials.told()[2:]} == {
            "a full disk": True,
            "diverged": False,
        }

    with Trials.opened(search) as trials:
        assert trials.missing == 1
        assert [asked.number for asked in trials.take()] == [4]


def test_other_settings_make_another_search(folder: Path) -> None:
    name = searched().name

    same = [
        "search.trials=20",
        "search.ask=1",
        "search.sampler=random",
        "sweep.workers=3",
        "device=cpu",
    ]
    assert {searched(override).name for override in same} == {name}
    other = ["epochs=3", "seeds=2", "activation=tanh", "search.metric=valid/loss", "batch_size=2,4"]
    assert len({searched(override).name for override in other} | {name}) == len(other) + 1


def test_a_line_that_a_full_disk_cut_short_is_taken_off(folder: Path) -> None:
    search = searched()
    finish(search, stop_after=4)
    before = history(search)
    with (search.folder / "search.journal").open("a") as file:
        file.write('{"op_code":4,"wor')
    finish(search)

    assert history(search)[:4] == before[:4]
    assert len(history(search)) == 10


def test_importances_need_values_to_tell(folder: Path) -> None:
    search = searched("batch_size=2,4", "search.trials=12", "search.ask=12")
    with Trials.opened(search) as trials:
        taken = trials.take()
        for asked in taken[:9]:
            trials.tell(asked, value(asked.overrides))
        assert trials.importances() == {}
        for asked in taken[9:]:
            trials.tell(asked, value(asked.overrides))
        shares = trials.importances()

    assert shares["optimizer.lr"] > shares["batch_size"]
    assert sum(shares.values()) == pytest.approx(1)


GARBAGE = (
    b"garbage\n", b"[1]\n", b"5\n", b"\x00\xff\n", b"[" * 100_000 + b"\n", b"{}\n",
    b'{"op_code": "a", "worker_id": "b"}\n', b'{"op_code": 4, "worker_id": "b"}\n',
    b'{"op_code": 99, "worker_id": "b"}\n',
    b'{"op_code": 4, "worker_id": "b", "study_id": 0, "datetime_start": "2026-11-30T00:00:00", '
    b'"state": 1, "values": [1.0], "datetime_complete": "2026-11-30T00:00:01"}\n',  # of no values
    b'{"op_code": 5, "worker_id": "b", "trial_id": 99, "state": 1, "values": [1]}\n',
)  # fmt: skip
"""Lines that no journal has, some of them readable."""


@pytest.mark.parametrize("place", ["first", "middle"])
@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_in_the_journal_is_put_aside_and_the_rest_asked_for_anew(
    folder: Path, garbage: bytes, place: str
) -> None:
    whole = searched("name=whole")
    finish(whole)
    search = searched("name=damaged")
    finish(search)
    path = search.folder / "search.journal"
    lines = path.read_bytes().splitlines(keepends=True)
    at = {"first": 0, "middle": len(lines) // 2}[place]
    path.write_bytes(b"".join([*lines[:at], garbage, *lines[at:]]))

    with Trials.opened(search) as trials:
        assert trials.damage is None or "search.journal" in trials.damage
        told = trials.damage
    if told is not None:
        assert (search.folder / "search.journal.damaged").read_bytes().count(garbage)
    finish(search)
    assert history(search) == history(whole)
    with Trials.opened(search) as trials:
        assert trials.damage is None
