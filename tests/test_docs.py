"""The promises of docs/ to those who bring parts of their own, kept to the letter elsewhere."""

import re
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from .commands import Command

DOCS = Path(__file__).parents[1] / "docs"

LIMITS = {
    "An activation, in six lines": 6,
    "A model, in one word": 18,
    "A probe with its figure": 22,
    "A place where sweeps are done": 20,
}
"""The lines of code and YAML, without blank ones and comments, that each section asks for."""

BRIEF = ("epochs=1",)


def sections(page: str) -> dict[str, str]:
    """Returns the text below each heading of a page."""

    parts = re.split(r"^## (.+)$", (DOCS / page).read_text(encoding="utf-8"), flags=re.MULTILINE)

    return dict(zip(parts[1::2], parts[2::2], strict=True))


def steps(text: str) -> Iterator[tuple[str, str]]:
    """Yields the files and the commands of a section, in their order: a path or "", and a text."""

    pattern = r"^```(?:python|yaml)\n# (\S+)\n(.*?)^```$|^    (?:PYTHONPATH=\. )?isoexp ([^\n]+)$"
    for match in re.finditer(pattern, text, re.MULTILINE | re.DOTALL):
        yield (match[1], match[2]) if match[1] else ("", match[3])


def follow(isoexp: Command, text: str, *more: str) -> list[str]:
    """Does all that a section says; returns what each command printed."""

    printed = []
    for path, content in steps(text):
        if path:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
            Path(path).write_text(content, encoding="utf-8")
            continue
        sys.modules.pop("mylab", None)
        words = shlex.split(content)
        brief = BRIEF if words[0] == "train" else ()
        quiet = ["probe=none"] if words[0] == "train" and "probe=" not in content else []
        outcome = isoexp(*words, *brief, *quiet, *more)
        assert outcome.code == 0, (content, outcome.err)
        printed.append(outcome.out)

    return printed


@pytest.fixture(autouse=True)
def own_modules(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Lets modules of this folder be imported, and forgets them."""

    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    yield
    sys.modules.pop("mylab", None)


@pytest.mark.parametrize("heading", LIMITS)
def test_a_part_of_ones_own_works_as_written(heading: str, isoexp: Command) -> None:
    text = sections("extending.md")[heading]

    assert all(follow(isoexp, text))
    files: dict[str, int] = {}
    for path, content in steps(text):
        lines = [line for line in content.splitlines() if line.strip() and line.lstrip()[0] != "#"]
        files[path] = max(files.get(path, 0), len(lines)) if path else 0
    assert sum(files.values()) <= LIMITS[heading]


@pytest.mark.slow
def test_a_figure_of_ones_own_is_drawn_by_every_command(isoexp: Command) -> None:
    follow(isoexp, sections("extending.md")["A probe with its figure"])
    own = ("--config-dir", "myconf", "--allow", "mylab")
    isoexp("train", "-m", *own, "probe=[lengths]", "seed=1,2", "figures=true", *BRIEF, "name=swept")
    drawn = sorted(Path("runs").rglob("lengths.png"))
    for path in drawn:
        path.unlink()

    assert len(drawn) == 3
    assert isoexp("figures", "runs", "--allow", "mylab").code == 0
    assert sorted(Path("runs").rglob("lengths.png")) == drawn


@pytest.mark.slow
def test_a_claim_of_ones_own_is_decided(isoexp: Command) -> None:
    text = (DOCS / "claims.md").read_text(encoding="utf-8")
    (claim,) = re.findall(r"^```yaml\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    Path("myconf/claim").mkdir(parents=True)
    Path("myconf/claim/mine.yaml").write_text(claim, encoding="utf-8")

    outcome = isoexp("reproduce", "mine", "--config-dir", "myconf", "--smoke")
    assert outcome.code == 0, outcome.err
    assert "mine: " in outcome.out
