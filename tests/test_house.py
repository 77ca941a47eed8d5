"""The laws of the house that no linter knows: one meaning a name, files named by nouns."""

import ast
from collections import Counter
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "isoexp"

FILES = sorted(PACKAGE.rglob("*.py"))

GERUNDS = {
    "batching", "clipping", "decoding", "locking", "probing", "tracking", "training", "tuning",
}  # fmt: skip
"""The gerunds that the field uses for things."""


def test_no_two_public_classes_have_one_name() -> None:
    names = Counter(
        node.name
        for path in FILES
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef) and node.name[0] != "_"
    )

    assert [name for name, count in names.items() if count > 1] == []


def test_files_are_named_by_nouns() -> None:
    assert {path.stem for path in FILES if path.stem.endswith("ing")} <= GERUNDS


def test_the_map_of_a_room_names_all_its_files() -> None:
    """A room that has a map: the first words of lines behind two spaces or more."""

    for room in ("config", "experiment", "search", "store", "sweep"):
        text = (PACKAGE / room / "__init__.py").read_text(encoding="utf-8")
        files = {path.stem for path in (PACKAGE / room).glob("*.py")} - {"__init__"}
        assert {name for name in files if name not in text} == set(), room


def test_only_output_prints() -> None:
    """So that whatever is printed is printable."""

    def prints(node: ast.AST) -> bool:
        if not isinstance(node, ast.Call):
            return False
        called = ast.unparse(node.func)
        return called == "print" or called.startswith(("sys.stdout.write", "sys.stderr.write"))

    trees = {path.name: ast.parse(path.read_text(encoding="utf-8")) for path in FILES}
    assert [name for name, tree in trees.items() if any(map(prints, ast.walk(tree)))] == []
