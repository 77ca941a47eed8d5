"""Tables as files: CSV that reads back with all digits, LaTeX that LaTeX takes."""

import csv
import io
import re
from pathlib import Path

import pandas as pd
import pytest

from isoexp.report.document import Cell, Column, Table
from isoexp.report.exports import csv_text, escape, latex
from isoexp.report.page import page, write

from .studies import finished

pytestmark = pytest.mark.usefixtures("sketched")

TABLE = Table(
    "mine",
    "50 % of a_b & c",
    [Column("who"), Column("x", ("x mean", "x low", "x high"), number=True), Column("told")],
    [
        [Cell('a, "b"\nc'), Cell("0.3 [0.1, 0.7]", (0.1 + 0.2, 0.1, 0.7)), Cell("so")],
        [Cell("d_e"), Cell("–", (float("nan"), None, 2)), Cell("–", ("",))],
    ],
    shown=1,
)


def test_csv_reads_back_with_all_digits_and_all_rows() -> None:
    rows = list(csv.DictReader(io.StringIO(csv_text(TABLE))))

    assert [row["who"] for row in rows] == ['a, "b"; c', "d_e"]
    assert float(rows[0]["x mean"]) == 0.1 + 0.2
    assert [rows[1][key] for key in ("x mean", "x low", "x high", "told")] == ["", "", "2", ""]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("=HYPERLINK(1)", "'=HYPERLINK(1)"),
        ("+model.x=1", "'+model.x=1"),
        ("-1+cmd|' /C calc'!A0", "'-1+cmd|' /C calc'!A0"),
        ("@SUM(1)", "'@SUM(1)"),
        ("＝1+1", "'＝1+1"),
        ("\t=1", r"\t=1"),
        ("\r=1", r"\r=1"),
        ("\x1b[31m", r"\x1b[31m"),
        ("-", "'-"),
        ("-1.5", "-1.5"),
        ("+1e-3", "+1e-3"),
        ("-.5E+2", "-.5E+2"),
        ("-inf", "-inf"),
        ("-1.5.2", "'-1.5.2"),
        ("1-1", "1-1"),
        ("– 5", "– 5"),
        (-1.5, "-1.5"),
        (-3, "-3"),
    ],
)
def test_no_cell_is_a_formula_to_a_spreadsheet(text: str | float, told: str) -> None:
    table = Table("mine", "", [Column(str(text))], [[Cell("shown", (text,))], [Cell(str(text))]])

    assert list(csv.reader(io.StringIO(csv_text(table)))) == [[told], [told], [told]]


def test_the_csv_of_groups_has_the_numbers_of_the_runs(tmp_path: Path) -> None:
    study = tmp_path / "study"
    values = {"0.1": [0.5, 0.7], "0.01": [1 / 3, 0.25]}
    number = 0
    for rate, own in values.items():
        for seed, value in enumerate(own):
            number += 1
            finished(study, number, seed, {"test/accuracy": value}, [f"optimizer.lr={rate}"])
    write(page([study]).document, tmp_path / "out")

    found = pd.read_csv(tmp_path / "out" / "tables" / "study-study-groups.csv")
    assert found["optimizer.lr"].tolist() == [0.01, 0.1]
    assert found["test/accuracy mean"].tolist() == pytest.approx([(1 / 3 + 0.25) / 2, 0.6], rel=0)
    assert found["test/accuracy n"].tolist() == [2, 2]


def test_latex_has_booktabs_and_a_row_for_each_shown() -> None:
    told = latex(TABLE)

    for part in (r"\begin{tabular}{lrl}", r"\toprule", r"\midrule", r"\bottomrule"):
        assert told.count(part) == 1
    assert r"\caption{50 \% of a\_b \& c}" in told
    assert r"    a, \textquotedbl{}b\textquotedbl{}; c & 0.3 {[}0.1, 0.7{]} & so \\" in told
    assert "d" + r"\_e" not in told


@pytest.mark.parametrize("text", ["\\input{x}", "{", "}", "$a$", "a_b^c", "#1", "~", "100 %", "&"])
def test_latex_takes_no_text_for_a_command(text: str) -> None:
    told = escape(text)
    plain = re.sub(r"\\(textbackslash|textasciitilde|textasciicircum)\{\}|\\[{}$&#%_]", "", told)

    assert not re.search(r"[\\{}$&#%_~^]", plain), told


def test_latex_takes_no_cell_for_an_argument_of_the_line_break() -> None:
    r"""\\* and \\[ have meanings, also over an end of a line."""

    table = Table("mine", "", [Column("*")], [[Cell("*a\x1b")], [Cell("[2cm]")]])

    rows = [row.strip() for row in latex(table).splitlines() if row.endswith(r"\\")]
    assert rows == [r"{*} \\", r"{*}a\textbackslash{}x1b \\", r"{[}2cm{]} \\"]


def test_latex_has_greek_and_signs() -> None:
    assert escape("θ ≤ σ(‖x‖)") == (
        r"\ensuremath{\theta} \ensuremath{\leq} \ensuremath{\sigma}(\ensuremath{\Vert}x"
        r"\ensuremath{\Vert})"
    )
