"""The claims in a Markdown file: between the marks, and nowhere else."""

from pathlib import Path

import pytest

from isoexp.errors import UserError
from isoexp.report.page import page
from isoexp.report.readme import rewrite

from .studies import claimed, finished, two_arms

pytestmark = pytest.mark.usefixtures("sketched")

A = (0.80, 0.81, 0.82, 0.80)


@pytest.fixture
def study(study: Path) -> Path:
    claimed(study, two_arms(study, A, (0.90, 0.92, 0.92, 0.90)), title="B | C")

    return study


def test_claims_are_written_between_the_marks(study: Path, tmp_path: Path) -> None:
    path = tmp_path / "README.md"
    path.write_text("# Mine\n\n<!-- claims -->\nold\n<!-- /claims -->\n\nthe rest\n")
    for _ in range(2):  # the second time what the first wrote is replaced
        rewrite(path, page([study]).chapters)

    assert path.read_text() == (
        "# Mine\n\n<!-- claims -->\n"
        "| claim | command | minutes on 2 cores | verdict | what was found |\n"
        "| --- | --- | ---: | --- | --- |\n"
        "| B \\| C (5.1) | `isoexp reproduce better --config-dir DIR` | 4.0 | **supported** | "
        "b has 0.103 [0.095, 0.110] more accuracy than a; margin 0.01, 4 seeds. |\n"
        "\n"
        "Measured until 2027-01-15 with torch 2.9.0; 95 % intervals, over seeds unless told; "
        "× marks ratios.\n"
        "<!-- /claims -->\n\nthe rest\n"
    )


def test_a_claim_that_is_called_like_the_marks_ends_nothing(tmp_path: Path) -> None:
    mark = "<!-- /claims --> <!-- claims -->"
    study = tmp_path / "study"
    claimed(study, two_arms(study, A, (0.90, 0.92, 0.92, 0.90)), title=mark)
    path = tmp_path / "README.md"
    path.write_text("before\n<!-- claims -->\n<!-- /claims -->\nthe rest\n")
    rewrite(path, page([study]).chapters)
    first = path.read_text()
    rewrite(path, page([study]).chapters)

    assert path.read_text() == first
    assert first.startswith("before\n<!-- claims -->\n| claim |")
    assert first.endswith("ratios.\n<!-- /claims -->\nthe rest\n")


@pytest.mark.parametrize("text", ["no marks", "<!-- claims -->", "<!-- /claims --><!-- claims -->"])
def test_a_file_without_a_place_is_left_alone(study: Path, tmp_path: Path, text: str) -> None:
    path = tmp_path / "README.md"
    path.write_text(text)

    with pytest.raises(UserError, match="must have a line"):
        rewrite(path, page([study]).chapters)
    assert path.read_text() == text


def test_it_needs_a_file_and_a_claim(study: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match="must be a text file"):
        rewrite(tmp_path / "absent.md", page([study]).chapters)

    finished(tmp_path / "plain", 1, 0, {"test/accuracy": 0.5})
    with pytest.raises(UserError, match="isoexp reproduce"):
        rewrite(tmp_path / "README.md", page([tmp_path / "plain"]).chapters)
