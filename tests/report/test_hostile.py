"""Names and texts that attack: a page that they are on has the parts of one without them."""

import base64
from pathlib import Path
from xml.etree import ElementTree

import pytest

from isoexp.names import slug
from isoexp.output import printable
from isoexp.report.document import Document, Figure, Section, Table, blocks
from isoexp.report.folders import compare
from isoexp.report.html import html
from isoexp.report.page import page, write

from .hostile import CONTROL, HOSTILE, PLAIN, Typed, leave, named, typed
from .reader import Reader
from .studies import claimed, failed, finished, two_arms


def parts(whole: str) -> list[tuple[str, list[str]]]:
    """The elements of a page and their attributes; where long names may break is left out."""

    return [
        (tag, sorted(set(attributes) - {"class"}))
        for tag, attributes in Reader(whole).tags
        if tag != "wbr"
    ]


@pytest.fixture
def plain(tmp_path: Path, sketched: None) -> Path:
    leave(tmp_path / "plain" / typed(PLAIN)("study"), typed(PLAIN))

    return tmp_path / "plain"


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize("text", [*HOSTILE, CONTROL])
def test_a_page_has_no_part_that_a_name_brought(plain: Path, tmp_path: Path, text: str) -> None:
    root = tmp_path / "hostile"
    leave(root / named(typed(text), "study"), typed(text))
    written = write(page([root]).document, tmp_path / "out")
    whole = written.read_text()

    assert parts(whole) == parts(html(page([plain]).document))
    told = " ".join(Reader(whole).text)
    for name in ("title", "question", "label", "reason", "damaged", "value"):
        assert name in told, name
    for tag, attributes in Reader(whole).tags:
        for key in attributes.keys() - {"alt"}:
            if tag not in ("meta", "img"):
                assert set(attributes[key] or "") <= set(".# " + SAFE), (tag, key, attributes[key])
    (root / "again").mkdir()
    leave(root / "again" / named(typed(text), "study"), typed(text))
    names = [path.name for path in root.iterdir() if path.name != "again"]
    both = compare(root / names[0], root / "again" / names[0])
    assert "script" not in {tag for tag, _ in Reader(html(both)).tags}


SAFE = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"


@pytest.mark.usefixtures("sketched")
@pytest.mark.parametrize("text", [*HOSTILE, CONTROL])
def test_files_of_a_report_are_named_safely(tmp_path: Path, text: str) -> None:
    leave(tmp_path / "runs" / "study", typed(text))
    write(page([tmp_path / "runs"]).document, tmp_path / "out")
    files = [path.relative_to(tmp_path / "out") for path in (tmp_path / "out").rglob("*")]
    markdown = (tmp_path / "out" / "report.md").read_text()

    for path in files:
        if path.suffix:
            told = (tmp_path / "out" / path).read_text()
            assert told == printable(told), path
        assert set(path.stem) <= set(SAFE), path
        if path.suffix in (".csv", ".svg"):
            assert f"({path})" in markdown  # what it links to is there


def test_names_that_look_alike_are_told_apart() -> None:
    """On a disk that knows no capitals, too; no table is written over another."""

    tables = [Table(name, "", [], []) for name in ("a/b", "a b", "A.B", "..", "", "a-b-2", "x")]
    figures = [Figure("a b", b"<svg/>", "", ""), Figure("é" * 400, b"<svg/>", "", "")]
    long = [Table(400 * "y", "", [], []), Table(401 * "y", "", [], [])]
    found = Document.of("", tables, [Section("", "s", [*figures, *long])])
    names = [b.name for b in blocks(found) if isinstance(b, Table | Figure)]

    assert names[:7] == ["a-b", "a-b-2", "A-B-3", "x", "x-2", "a-b-2-2", "x-3"]
    assert len({name.casefold() for name in names}) == len(names) == 11
    assert max(map(len, names)) < 200


@pytest.mark.usefixtures("sketched")
def test_ids_are_said_once_whatever_claims_studies_and_probes_are_called(tmp_path: Path) -> None:
    """Claims named as the parts of the page; probes as the tables of a study; studies as both."""

    for name in ("x", "x-heading", "x-groups", "X", "main"):
        study = tmp_path / name / ("again" if name == "X" else "")  # where X is x
        numbers = {f"probe/{probe}/y": 1.0 for probe in ("groups", "Groups", "effects", "failed")}
        finished(study, 1, 0, {**numbers, "test/accuracy": 0.5})
        failed(study, 2, 1, "why")
    for name in ("main", "verdicts", "studies"):
        claimed(tmp_path / "x", two_arms(tmp_path / "x", (0.8,), (0.9,), 10), name=name, seeds=1)
    written = write(page([tmp_path]).document, tmp_path / "out")
    read = Reader(written.read_text())
    ids = [attributes["id"] for _, attributes in read.tags if "id" in attributes]

    assert len(ids) == len(set(ids))
    for _, attributes in read.tags:
        target = attributes.get("href") or attributes.get("aria-labelledby")
        assert target is None or target.removeprefix("#") in ids
    assert len(read.all("table")) == len(list((tmp_path / "out" / "tables").glob("*.csv")))


@pytest.mark.slow
def test_a_drawing_has_no_part_that_a_name_brought(tmp_path: Path) -> None:
    def drawings(of: Typed) -> list[tuple[set[str], set[str]]]:
        study = tmp_path / slug(of(""))
        leave(study, of)
        images = Reader(html(page([study]).document)).all("img")
        svgs = [base64.b64decode((i["src"] or "").partition("base64,")[2]) for i in images]
        found = [list(ElementTree.fromstring(svg).iter()) for svg in svgs]
        return [({e.tag for e in each}, {k for e in each for k in e.attrib}) for each in found]

    hostile = drawings(typed(" ".join((*HOSTILE[:4], CONTROL))))
    assert len(hostile) == 6
    assert hostile == drawings(typed(PLAIN))


def test_the_slug_of_anything_is_letters_digits_and_dashes() -> None:
    for text in (*HOSTILE, "", "\0", "\u202e", "ab\ncd", "../../etc", "C:\\x", 999 * "x"):
        assert set(slug(text)) <= set(SAFE)
        assert 0 < len(slug(text)) <= 150
