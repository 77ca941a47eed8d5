"""The Markdown of a report: the whole of a small one, and that a text means itself."""

from pathlib import Path

import pytest

from isoexp.report.document import Cell, Column, Table
from isoexp.report.markdown import escape, fenced, markdown, of_table
from isoexp.report.page import page

from .studies import claimed, failed, two_arms

pytestmark = pytest.mark.usefixtures("sketched")

GOLDEN = Path(__file__).with_name("golden.md")
"""What is written of a claim and a run; IDENTITY and EFFECT stand for what is hashed, or long."""


def test_a_small_study_as_a_whole(tmp_path: Path) -> None:
    study = tmp_path / "study"
    known = claimed(study, two_arms(study, (0.80, 0.81, 0.82, 0.80), (0.90, 0.92, 0.92, 0.90)))
    failed(study, 9, 0, "diverged: *loss* is nan", activation="relu")
    found = page([study])
    answer = found.chapters[0].decision.answers[0].answer

    golden = GOLDEN.read_text().replace("IDENTITY", known.folder.name.removeprefix("better-"))
    said = markdown(found.document)
    row = next(line for line in said.splitlines() if line.startswith("| 1 |"))
    golden = golden.replace("EFFECT |", row.partition("0.01 | ")[2])
    assert said == golden
    assert row.split(" | ")[6:9] == ["0.103 [0.095, 0.110]", "4", f"{answer.p:.2g}"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("a *b* `c` ~d~ $e$ x|y", r"a \*b\* \`c\` \~d\~ \$e\$ x\|y"),
        ("<script>alert(1)</script>", r"\<script>alert(1)\</script>"),
        ("[a](b) ![c](d) [e][f]", r"[a\](b) ![c\](d) [e\][f]"),
        ("[a]: b", r"[a\]: b"),
        ("iso_tanh and [0.1, 0.2]", "iso_tanh and [0.1, 0.2]"),
        ("_so_ __so__", r"\_so\_ \_\_so\_\_"),
        ("&lt; &#60; a & b", r"\&lt; \&#60; a & b"),
        ("1. not a list", r"1\. not a list"),
        ("2.1, Eqn 5", "2.1, Eqn 5"),
        ("# no heading", r"\# no heading"),
        ("- no item", r"\- no item"),
        ("> no quotation", r"\> no quotation"),
        ("---", r"\---"),
        ("back\\slash", r"back\\slash"),
        ("two\n\n# lines", "two # lines"),
        ("a {#id onclick=b}", r"a \{#id onclick=b}"),
        ("a\x1b\u202e", r"a\\x1b\\u202e"),
    ],
)
def test_a_text_means_itself(text: str, told: str) -> None:
    assert escape(text) == told


def test_what_is_typed_stays_code() -> None:
    assert fenced("a=b") == "`a=b`"
    assert fenced("a`b") == "``a`b``"
    assert fenced("a\x1b") == r"`a\x1b`"
    assert fenced("`a`") == "`` `a` ``"


def test_a_cell_stays_one_cell() -> None:
    rows = [[Cell("a|b", kind="code"), Cell("one\ntwo|three"), Cell("[x]", link="there")]]
    table = Table("t", "", [Column("x"), Column("y", number=True), Column("")], rows)

    assert of_table(table) == [
        "| x | y |   |",
        "| --- | ---: | --- |",
        r"| `a\|b` | one<br>two\|three | [\[x\]](#there) |",
    ]
    assert "#there" not in of_table(table, linked=False)[2]
