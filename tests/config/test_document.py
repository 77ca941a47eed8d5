"""Tests for isoexp.config.document, and for YAML files of a user that are broken."""

import os
from pathlib import Path

import pytest

from isoexp.config.document import DEEPEST, MOST, parse
from isoexp.errors import UserError

from ..commands import Command

BOMB = "a: &a [1,1,1,1,1,1,1,1,1,1]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 10)}]\n" for i in range(9)
)

BROKEN = {
    "a: [": "line 2: did not find expected node content",
    "a: 1\nb: c: d": "line 2: mapping values are not allowed",
    "a:\n\tb: 2": "line 2: found character that cannot start any token",
    "[" * 2000: f"line 1: it is nested more than {DEEPEST} deep",
    "[" * 100_000: f"line 1: it is nested more than {DEEPEST} deep",
    "\n".join(" " * i + "a:" for i in range(200)): f"line 51: it is nested more than {DEEPEST}",
    "a: 1\nb: &x [*x]": "line 2: *x is a part of itself",
    "a: &x {b: {c: *x}}": "line 1: *x is a part of itself",
    BOMB: f"line 5: it has more than {MOST:,} values",
    "a: 1\n1: 2": "line 2: a key must be a text, got 1: quote it",
    "on: x": "line 1: a key must be a text, got on: quote it",
    "a:\n- {null: 3}": "line 2: a key must be a text, got null: quote it",
    "? [a]\n: 2": "line 1: a key must be a text, got a list or a mapping",
    "x: *y": "line 1: found undefined alias",
    "a: !!python/object/apply:os.system [x]": "line 1: could not determine a constructor",
    "a: 2001-13-45": "month must be in 1..12",
    "a: \x07": "unacceptable character #x0007",
    "- 1": "a configuration has keys and values, got - 1",
    "--- {a: 1}\n--- {b: 1}": "line 2: but found another document",
    "a: " + "9" * 5000: "Exceeds the limit",
}


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_broken_yaml_is_a_line_with_its_number(text: str) -> None:
    with pytest.raises(UserError) as told:
        parse(text)

    assert BROKEN[text] in str(told.value)
    assert "\n" not in str(told.value)
    assert len(str(told.value)) < 300


def test_aliases_and_depth_within_bounds_are_read() -> None:
    text = "a: &x {b: [1, 2]}\nc: *x\nd: [*x, *x]\n<<: {e: 1e-3}\n"
    assert parse(text) == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}] * 2,
                           "e": 1e-3}  # fmt: skip
    deep = parse("a: " + "[" * (DEEPEST - 1) + "]" * (DEEPEST - 1))
    assert str(deep).count("[") == DEEPEST - 1


@pytest.mark.parametrize("text", BROKEN, ids=range(len(BROKEN)))
def test_so_is_a_file_of_the_users(text: str, isoexp: Command, folder: Path) -> None:
    (folder / "mine/model").mkdir(parents=True)
    (folder / "mine/model/net.yaml").write_text("# a net\n" + text)

    for words in (["train", "model=net"], ["train", "--cfg"], ["train", "-m", "seed=0,1"]):
        outcome = isoexp(*words, "--config-dir", "mine")
        assert outcome.code == 2
        assert len(outcome.err.splitlines()) == 1
        assert outcome.err.startswith("isoexp: mine/model/net.yaml: ")
        assert not (folder / "runs").exists()


DEFAULTS = ("5", "abc", "{a: b}", "[5]", "[[a]]", "[{a: b, c: d}]", "[{a: {b: c}}]", "[null]",
            "[{model: [[a]]}]", "[true]")  # fmt: skip


@pytest.mark.parametrize("defaults", DEFAULTS)
def test_wrong_defaults_are_a_line(defaults: str, isoexp: Command, folder: Path) -> None:
    (folder / "mine/experiment").mkdir(parents=True)
    (folder / "mine/experiment/it.yaml").write_text(
        f"# @package _global_\ndefaults: {defaults}\nseed: 1\n"
    )
    outcome = isoexp("train", "--cfg", "experiment=it", "--config-dir", "mine")

    assert outcome.code == 2
    assert outcome.err.startswith("isoexp: mine/experiment/it.yaml: defaults must be a list")
    assert len(outcome.err.splitlines()) == 1


REFUSED = ("[it]", "[/experiment/it]", "[nowhere]", "[{model: nowhere}]", "[override /model: 5]",
           "[{override /nothing: a}]")  # fmt: skip


@pytest.mark.parametrize("defaults", REFUSED)
def test_so_are_those_that_hydra_refuses(defaults: str, isoexp: Command, folder: Path) -> None:
    """A cycle, what is not there, what is no group."""

    (folder / "mine/experiment").mkdir(parents=True)
    (folder / "mine/experiment/it.yaml").write_text(
        f"# @package _global_\ndefaults: {defaults}\nseed: 1\n"
    )
    outcome = isoexp("train", "--cfg", "experiment=it", "--config-dir", "mine")

    assert outcome.code == 2
    assert len(outcome.err.splitlines()) == 1


def test_pipes_and_folders_named_like_files_are_a_line(isoexp: Command, folder: Path) -> None:
    for make in (os.mkfifo, os.mkdir):
        path = folder / make.__name__ / "model/net.yaml"
        path.parent.mkdir(parents=True)
        make(path)
        outcome = isoexp("train", "--cfg", "--config-dir", make.__name__)
        assert outcome.code == 2
        assert outcome.err.startswith(f"isoexp: {make.__name__}/model/net.yaml must be a file")
        assert isoexp("list", "model", "--config-dir", make.__name__).code == 0


@pytest.mark.parametrize(
    "value", ["[" * 2000, "[" * 2000 + "]" * 2000, "{a:" * 300 + "1" + "}" * 300]
)
def test_deep_overrides_are_a_line(value: str, isoexp: Command, folder: Path) -> None:
    for words in (["train", f"model={value}"], ["train", f"model.widths={value}"],
                  ["train", "-m", f"optimizer.lr=choice({value})"]):  # fmt: skip
        outcome = isoexp(*words)
        assert outcome.code == 2
        assert "nested more than" in outcome.err
        assert len(outcome.err) < 300
