"""The chain of plans: its lines follow each other, and seeds of later ones are their own."""

import json
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from isoexp.claims.chain import BLOCK, CHAIN, Line, add, faults, lines


def planned(study: Path, *kinds: str) -> list[Line]:
    """Writes lines down."""

    for n, kind in enumerate(kinds):
        with add(study) as (there, append):
            line = Line(0, "mine", "laptop", f"plan {n}", kind)  # type: ignore[arg-type]
            append(replace(line, registered=float(n), commit="c").follows(there))

    return lines(study)


def test_lines_are_read_as_they_were_written(tmp_path: Path) -> None:
    one, two = planned(tmp_path, "plan", "plan")

    assert (one.number, two.number) == (1, 2)
    assert (one.previous, two.previous) == ("", one.hash)
    assert faults(tmp_path) == []
    assert faults(tmp_path / "nowhere") == []


def test_a_line_without_a_cell_has_the_hash_that_it_always_had(tmp_path: Path) -> None:
    """Lines that were written before there were cells are as they were."""

    (one,) = planned(tmp_path, "plan")
    with add(tmp_path) as (there, append):
        append(replace(one, cell="data=shapes").follows(there))
    one, other = lines(tmp_path)
    row, _ = map(json.loads, (tmp_path / CHAIN).read_text().splitlines())
    before = Line(1, "mine", "laptop", "plan 0", registered=0.0, commit="c")

    assert "cell" not in row
    assert one == before
    assert one.hash == "c0d40d72299303d23c8179e58bd0aa0a"
    assert other.cell == "data=shapes"
    assert not one.same(replace(one, cell="data=shapes"))
    assert faults(tmp_path) == []


def test_what_is_said_at_another_time_is_the_same(tmp_path: Path) -> None:
    one, two = planned(tmp_path, "plan", "amendment")

    assert one.same(replace(one, registered=9.0, number=7, previous="p"))
    assert not one.same(two)
    assert not one.same(replace(one, plan="other"))


def test_seeds_are_those_of_no_other_line(tmp_path: Path) -> None:
    """First plans share a block; each amendment and confirmation has two."""

    found = planned(tmp_path, "plan", "amendment", "plan", "confirmation", "amendment")
    blocks = [each.seed // BLOCK for each in found]

    assert [each.seed for each in found if each.kind == "plan"] == [0, 0]
    assert len({*blocks}) == 4
    assert all(each.tuning_seed == each.seed + BLOCK for each in found)
    assert all(block >= 2 and block % 2 == 0 for block in blocks if block)
    assert max(each.tuning_seed for each in found) < 2**62


def test_a_block_that_is_taken_is_not_given_twice(tmp_path: Path) -> None:
    (one,) = planned(tmp_path, "plan")
    line = Line(0, "mine", "laptop", "plan", "amendment")
    first = line.follows([one])

    assert line.follows([one]) == first, "it is decided by what comes before"
    assert replace(line, plan="other").follows([one]).seed != first.seed
    assert line.follows([replace(one, seed=first.seed), one]).seed == first.seed + 2 * BLOCK


def tampered(study: Path, how) -> list[str]:
    path = study / CHAIN
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in how(rows)))

    return faults(study)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        (lambda rows: rows[1:], "line 2 does not follow the line before it: one was removed"),
        (lambda rows: [rows[0], rows[2]], "line 3 does not follow the line before it"),
        (lambda rows: [rows[1], rows[0], rows[2]], "line 2 does not follow"),
        (lambda rows: [{**rows[0], "why": "x"}, *rows[1:]], "line 1 was changed after"),
        (lambda rows: [*rows[:2], {**rows[2], "seed": 5}], "line 3 was changed after"),
        (lambda rows: [*rows[:2], {"number": 3}], "1 of its lines cannot be read"),
    ],
)
def test_what_was_done_to_a_chain_is_seen(tmp_path: Path, how, told: str) -> None:
    planned(tmp_path, "plan", "amendment", "plan")

    assert told in "; ".join(tampered(tmp_path, how))


def test_a_line_put_in_the_place_of_another_breaks_what_follows(tmp_path: Path) -> None:
    """Even with a hash of its own: the line behind it knows the one that was there."""

    planned(tmp_path, "plan", "plan")

    def forged(rows: list[dict]) -> list[dict]:
        line = replace(Line(**{k: v for k, v in rows[0].items() if k != "hash"}), plan="another")
        return [{**asdict(line), "hash": line.hash}, rows[1]]

    assert tampered(tmp_path, forged) == [
        "line 2 does not follow the line before it: one was removed"
    ]


def test_the_last_line_that_is_removed_is_missed_by_its_runs_alone(tmp_path: Path) -> None:
    """The limit: what nothing refers to any more leaves no trace in the chain itself."""

    planned(tmp_path, "plan", "plan")

    assert tampered(tmp_path, lambda rows: rows[:1]) == []


def test_what_stands_behind_a_broken_line_is_read_and_not_planned_again(tmp_path: Path) -> None:
    one, two = planned(tmp_path, "plan", "plan")
    path = tmp_path / CHAIN
    first, second = path.read_text().splitlines()
    path.write_text(f"{first}\ngarbage\n{second}\n")

    assert lines(tmp_path) == [one, two]
    assert faults(tmp_path) == ["1 of its lines cannot be read"]
    path.unlink()
    path.mkdir()
    assert (lines(tmp_path), faults(tmp_path)) == ([], [])
