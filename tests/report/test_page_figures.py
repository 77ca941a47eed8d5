"""The page as it is seen: whole by itself, readable by all, drawn from the runs."""

import base64
import re
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd

from isoexp.figures.arms import draw_curves, draw_dots, svg
from isoexp.report.drawings import curve_figure, metrics_figure
from isoexp.report.html import html
from isoexp.report.page import page, write

from .reader import Reader
from .studies import claimed, curve, two_arms

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
