"""The page as it is seen: whole by itself, readable by all, drawn from the runs."""

import base64
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from isoexp.claims.decision import decided
from isoexp.figures import arms
from isoexp.figures.arms import draw_curves, draw_dots, svg
from isoexp.figures.verdicts import draw_effects
from isoexp.report.drawings import (
    contrast_figure,
    curve_figure,
    effects_figure,
    metrics_figure,
)
from isoexp.report.html import html
from isoexp.report.page import page, write

from .reader import Reader
from .studies import BEGAN, NODE, claimed, curve, two_arms

A = (0.80, 0.81, 0.82, 0.80)
BETTER = (0.90, 0.92, 0.91, 0.91)


def test_the_page_needs_nothing_else(nasty: Path) -> None:
    whole = html(page([nasty]).document)
    read = Reader(whole)
    style = re.findall(r"<style>(.*?)</style>", whole, re.DOTALL)[0]

    assert "url(" not in style
    assert "@import" not in style
    for tag, attributes in read.tags:
        assert tag not in ("script", "link", "iframe", "object", "base"), tag
        for name in ("src", "srcset", "action", "background", "poster"):
            assert (attributes.get(name) or "data:image/svg+xml").startswith("data:image/svg+xml")
        assert (attributes.get("href") or "#").startswith("#")
        assert not any(name.startswith("on") for name in attributes)
    for image in read.all("img"):
        drawing = base64.b64decode((image["src"] or "").partition("base64,")[2]).decode()
        linked = re.findall(r'(?:href|src)="([^"]*)"', drawing)
        assert all(each.startswith(("#", "data:")) for each in linked), linked
        assert "<!DOCTYPE" not in drawing


def test_nothing_is_wider_than_a_narrow_screen_but_tables_that_scroll(nasty: Path) -> None:
    """390 px are 24 rem. An interval breaks before its bracket, so that tables are narrow, too."""

    whole = html(page([nasty]).document)
    style = re.findall(r"<style>(.*?)</style>", whole, re.DOTALL)[0]
    rules = re.findall(r"([^{}]+?)\s*\{([^{}]*)\}", style)
    widths = re.findall(r"(?<!max-)width:\s*([\d.]+)rem", "".join(rule for _, rule in rules))

    def said(selector: str) -> str:
        return "".join(rule for name, rule in rules if name.strip() == selector)

    assert widths
    assert all(float(width) < 24 for width in widths)
    assert "max-width: 100%" in said("figure img")
    assert "overflow-wrap: break-word" in said("body")
    tables = re.findall(r"<div class=\"scroll\"[^>]*><(\w+)", whole)
    assert tables.count("table") == whole.count("<table")
    cells = re.findall(r"<td[^>]*>(.*?)</td>", whole)
    assert any('<span class="ends">[0.792, 0.823]</span>' in cell for cell in cells)
    assert not any(re.search(r"[^>]\[-?[\d.]+, -?[\d.]+\]", cell) for cell in cells)


def test_all_can_read_it(nasty: Path) -> None:
    read = Reader(html(page([nasty]).document))
    names = [name for name, _ in read.tags]

    assert read.all("html")[0]["lang"] == "en"
    for landmark in ("header", "nav", "main", "footer", "h1"):
        assert names.count(landmark) == 1, landmark
    levels = [int(name[1]) for name in names if re.fullmatch("h[1-6]", name)]
    assert all(after <= before + 1 for before, after in pairwise(levels))
    assert names.count("caption") == names.count("table") > 3
    assert {head.get("scope") for head in read.all("th")} == {"col", "row"}
    images = read.all("img")
    told = ("better, inconclusive", "b − a 1 number missing", "a 0.808 [", "a from 3 to 1")
    for image, shows in zip(images, told, strict=True):
        assert shows in (image["alt"] or "")


def test_the_same_runs_give_the_same_bytes(nasty: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        write(page([nasty]).document, tmp_path / name)
    paths = sorted(p.relative_to(tmp_path / "one") for p in (tmp_path / "one").rglob("*.*"))

    assert {path.suffix for path in paths} == {".html", ".md", ".svg", ".csv", ".tex"}
    for path in paths:
        assert (tmp_path / "one" / path).read_bytes() == (tmp_path / "two" / path).read_bytes()


def test_every_seed_is_a_dot_and_every_arm_a_line(study: Path) -> None:
    runs = two_arms(study, A, BETTER)
    for own in runs.values():
        for run in own:
            curve(run, (3.0, 2.0, 1.0))
    shape = {"of": "metrics", "x": "step", "y": "valid/loss", "arms": ["b"]}
    evidence = claimed(study, runs, curve=shape)
    values = {"accuracy": evidence.values("accuracy")[0]}
    dots, lines = metrics_figure(evidence, values, "x"), curve_figure(evidence, "y")

    assert dots is not None
    assert lines is not None
    groups = dots.svg.decode().split('id="PathCollection_')[1:]
    assert [group.partition("</g>\n   </g>")[0].count("<use ") for group in groups] == [4, 4]
    assert "b from 3 to 1" in lines.alt
    assert "a from" not in lines.alt


def test_dots_of_ratios_have_a_logarithmic_axis_and_a_dollar_is_a_dollar() -> None:
    rows = [("$m$ & n", True, "a_$1", x, 1.0, 0.5, 2.0) for x in (0.5, 2.0)]
    names = pd.Index(["metric", "log", "arm", "value", "mean", "low", "high"])
    drawn = svg(draw_dots, pd.DataFrame(rows, columns=names)).decode()

    assert "$m$ &amp; n" in drawn
    assert "a_$1" in drawn
    ticks = set(re.findall(r">([0-9.]+)</text>", drawn))
    assert {"0.5", "1", "2"} <= ticks
    assert "1.5" not in ticks


def test_a_seed_alone_has_a_curve_on_a_logarithmic_axis() -> None:
    rows = [("p", "a", x, "x", False, True, x, -np.inf, np.inf) for x in (0.1, 1.0)]
    names = ["panel", "arm", "x", "x_name", "log_x", "log_y", "mean", "low", "high"]

    assert b"<svg" in svg(draw_curves, pd.DataFrame(rows, columns=pd.Index(names)))


def test_an_interval_of_two_seeds_does_not_hide_the_means() -> None:
    """With n = 2 intervals are 13 times wider than the spread: the axis stays at the means."""

    rows = [("p", "a", x, "x", False, False, x, x - 1e3, x + 1e3) for x in (0.0, 1.0)]
    names = ["panel", "arm", "x", "x_name", "log_x", "log_y", "mean", "low", "high"]
    drawn = svg(draw_curves, pd.DataFrame(rows, columns=pd.Index(names))).decode()

    assert "1000" not in drawn


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[pd.DataFrame]:
    """The tables of the figures that would have been drawn."""

    found: list[pd.DataFrame] = []
    monkeypatch.setattr(arms, "svg", lambda how, table: found.append(table) or b"<svg/>")

    return found


ASKED = NODE["comparisons"][0]
POINTS = {"accuracy": {"of": "summary", "column": "test/accuracy", "unit": "points"}}


def test_effects_are_in_margins_with_what_was_expected_to_the_right(
    study: Path, drawn: list[pd.DataFrame]
) -> None:
    """Of two that are expected otherwise, less and greater, both have their sign to the right."""

    asked = [
        {**ASKED, "margin": 0.02},
        {**ASKED, "contrast": "a - b", "expects": "less", "margin": 0.05, "label": "less"},
        {**ASKED, "contrast": "b", "expects": "beyond", "margin": 0.5},
        {**ASKED, "margin": 0, "label": "any"},
    ]
    decision = decided(claimed(study, two_arms(study, A, BETTER), comparisons=asked))
    figure = effects_figure([(decision, False)], "effects")
    (table,) = drawn

    assert figure is not None
    assert list(table["label"]) == ["b − a", "less", "b", "any *"]
    assert list(table["value"][:3]) == pytest.approx([0.1025 / 0.02, 0.1025 / 0.05, 0.9 / 0.5])
    first = decision.answers[0].answer
    assert list(table.loc[0, ["low", "high"]]) == pytest.approx(
        [first.low / 0.02, first.high / 0.02]
    )
    assert table["bounds"].tolist() == [True, True, False, True]
    low, high = (table[end].tolist()[3] for end in ("low", "high"))
    assert high - low == pytest.approx(2), "in half widths"
    assert "no margin" in figure.caption
    assert "better, supported: 1.8 to " in figure.alt
    assert "†" not in figure.caption


def test_marks_tell_what_was_amended_and_what_was_confirmed(
    study: Path, drawn: list[pd.DataFrame]
) -> None:
    claimed(study, two_arms(study, A, BETTER), registered=BEGAN - 9000)
    changed = claimed(study, two_arms(study, A, BETTER, 20), kind="amendment", told={"why": "?"})
    changed.__dict__["faults"] = []  # its runs have other seeds than it was given
    figure = effects_figure([(decided(changed), True)], "effects")

    assert figure is not None
    assert list(drawn[0]["claim"]) == ["better †"]
    assert drawn[0]["confirmed"].tolist() == [True]
    assert "† amended" in figure.caption
    assert "Hollow" not in figure.caption


def test_contrasts_are_drawn_in_the_unit_shown_beside_null_and_margins(
    study: Path, drawn: list[pd.DataFrame]
) -> None:
    asked = [ASKED, {**ASKED, "contrast": "b", "against": 0.5, "role": "beside", "label": "B"}]
    evidence = claimed(study, two_arms(study, A, BETTER), metrics=POINTS, comparisons=asked)
    figure = contrast_figure(decided(evidence), "contrasts")
    first, second = (own for _, own in drawn[0].groupby("row"))

    assert figure is not None
    assert list(first["value"]) == pytest.approx([10, 11, 9, 11])
    ends = ["null", "below", "above"]
    assert list(first.iloc[0][ends]) == pytest.approx([0, -1, 1])
    assert list(second.iloc[0][ends]) == pytest.approx([50, 49, 51])
    assert list(second["value"]) == pytest.approx([90, 92, 91, 91])
    assert second["label"].iloc[0] == "B\n(beside)"
    assert (
        list(second["low"])
        == [pytest.approx(100 * (0.5 + decided(evidence).answers[1].answer.low))] * 4
    )


def test_a_claim_of_mathematics_alone_has_no_contrasts(study: Path) -> None:
    asked = [{**ASKED, "contrast": "b", "expects": "beyond"}]

    assert (
        contrast_figure(decided(claimed(study, two_arms(study, A, BETTER), comparisons=asked)), "x")
        is None
    )


def test_what_is_missing_or_beyond_all_margins_is_drawn() -> None:
    names = ["claim", "outcome", "label", "verdict", "confirmed", "value", "low", "high", "bounds"]
    rows = [
        ("one † $", "inconclusive", "gap", "inconclusive", False, np.nan, np.nan, np.nan, True),
        ("one † $", "inconclusive", "far", "supported", True, 1e9, 1e8, 1e12, False),
        ("two", "no effect", "none", "no effect", False, 0.1, -np.inf, np.inf, True),
    ]
    drawn = svg(draw_effects, pd.DataFrame(rows, columns=pd.Index(names))).decode()

    assert "not known" in drawn
    for told in ("one † $", "† amended", "gap", "far", "two", "not confirmed", "−3", "1000"):
        assert told in drawn
    assert ">none<" not in drawn, "a claim of one comparison has the row of its name"
