"""Tests for isoexp.data.text: what is asked for is what comes next, and the parts are apart."""

import subprocess
import sys
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from isoexp.data import Split, Splits, Text

from ..properties import refusal

OTHER = "\N{REPLACEMENT CHARACTER}"


@cache
def load() -> Splits:
    """Returns the built-in text, which is only looked at, once for all tests."""

    return Text().load()


def parts(splits: Splits) -> tuple[Split, Split, Split]:
    return splits.train, splits.valid, splits.test


def decode(split: Split, alphabet: str) -> str:
    """Returns the text of a split: the windows one after the other, and the very last answer."""

    tokens = np.append(split.x.argmax(axis=2).flatten(), split.y[-1, -1])

    return "".join(alphabet[token] for token in tokens)


def write(folder: Path, text: str, name: str = "text.txt") -> str:
    (folder / name).write_text(text, encoding="utf-8")

    return str(folder / name)


# --- windows --------------------------------------------------------------------------------


def test_sizes_shapes_and_types() -> None:
    splits = load()

    assert splits.inputs == (64, 40)
    assert splits.outputs == 40
    assert splits.answers == (64,)
    assert splits.standardized() is splits
    # 160,000, 20,000 and 20,000 characters, of which each part's last is an answer only.
    assert [len(part.x) for part in parts(splits)] == [2499, 312, 312]
    for part in parts(splits):
        assert part.x.dtype == np.float32
        assert part.y.dtype == np.int64
        assert part.y.shape == part.x.shape[:2]
        assert set(np.unique(part.x)) == {0, 1}
        np.testing.assert_array_equal(part.x.sum(axis=2), 1)


def test_the_answer_is_the_next_character() -> None:
    for part in parts(load()):
        x = part.x.argmax(axis=2)
        np.testing.assert_array_equal(part.y[:, :-1], x[:, 1:])
        np.testing.assert_array_equal(part.y[:-1, -1], x[1:, 0])


def test_text_decodes_to_its_source() -> None:
    """Every part is its own piece of the text, a tenth each at the end: none is shared."""

    source = Text()
    text, alphabet = source.text(), source.alphabet()
    known = "".join(c if c in alphabet else OTHER for c in text)
    ends = [(0, 160_000), (160_000, 180_000), (180_000, 200_000)]

    assert len(text) == 200_000
    for part, (start, end) in zip(parts(load()), ends, strict=True):
        found = decode(part, alphabet)
        assert known[start:end].startswith(found)
        assert end - start - 64 <= len(found) <= end - start


@pytest.mark.parametrize(("count", "windows"), [(650, 1), (1290, 2)])
@pytest.mark.parametrize("length", [1, 64])
def test_as_short_as_it_can_be(tmp_path: Path, length: int, count: int, windows: int) -> None:
    """At n (T + 1) characters a tenth, no window is lost, and at one fewer there is one less."""

    root = write(tmp_path, "ab" * count)
    splits = Text(root=root, length=length, characters=10 * (windows * length + 1)).load()
    assert [len(splits.valid.x), len(splits.test.x)] == [windows] * 2

    fewer = Text(root=root, length=length, characters=10 * (windows * length + 1) - 1)
    if windows == 1:
        assert f"must have {10 * (length + 1)} characters" in refusal(fewer.load)
    else:
        assert len(fewer.load().test.x) == windows - 1


def test_no_window_is_in_two_parts() -> None:
    """Though the topics of the documentation repeat one another: a paragraph is taken once.

    Not at any place of the training part, which leaves room for a phrase that comes twice.
    """

    text = Text().text()
    learnt = text[:160_000]
    windows = [text[start : start + 64] for start in range(160_000, 199_936, 64)]

    assert sum(window in learnt for window in windows) <= 0.01 * len(windows)


# --- text -----------------------------------------------------------------------------------


def test_the_documentation_is_english_prose() -> None:
    text = Text(characters=10**9).text()
    lines = text.split("\n")

    assert 200_000 < len(text) < 2_000_000
    assert len(lines) == len(set(lines)), "a paragraph stands in it twice"
    assert text == text.lower()
    assert not set(text) & {"*", "\t", "\r"}
    # In English text a sixth is blanks, and e is the most frequent letter, a tenth.
    share = lambda c: text.count(c) / len(text)
    assert 0.12 < share(" ") < 0.2
    assert 0.08 < share("e") == max(map(share, "abcdefghijklmnopqrstuvwxyz"))
    assert sum(map(share, "abcdefghijklmnopqrstuvwxyz ,.")) > 0.9


def test_few_characters_are_others() -> None:
    for part in parts(load()):
        assert (part.y == 0).mean() < 0.02


def test_the_alphabet_is_the_most_frequent_characters_of_training(tmp_path: Path) -> None:
    """The others share token 0, those of the other parts too; ties go by Unicode."""

    root = write(tmp_path, "aaabBc" * 100 + "dcba" * 2 * 100)
    source = Text(root=root, length=4, characters=750, vocabulary=4)

    assert source.alphabet() == OTHER + "abc"
    assert replace(source, vocabulary=3).alphabet() == OTHER + "ab"
    assert replace(source, vocabulary=50).alphabet() == OTHER + "abc"
    splits = source.load()
    assert splits.outputs == 4
    assert not (splits.train.y == 0).any()
    assert (splits.test.y == 0).any()

    tied = Text(root=write(tmp_path, "dcba" * 100, "tied"), length=2, vocabulary=3)
    assert tied.alphabet() == OTHER + "ab"


def test_a_file_may_hold_the_mark_of_the_others(tmp_path: Path) -> None:
    source = Text(root=write(tmp_path, (OTHER + "a") * 100), length=2)

    assert source.alphabet() == OTHER + "a"
    assert set(source.load().train.y.flatten()) == {0, 1}


def test_files_alike_but_for_line_ends_and_marks(tmp_path: Path) -> None:
    text = "Ein Ärger,\nwie öfter.\n" * 20
    plain = Text(root=write(tmp_path, text), length=8)
    windows = tmp_path / "windows.txt"
    windows.write_bytes(text.replace("\n", "\r\n").encode("utf-8-sig"))
    other = replace(plain, root=str(windows))

    assert plain.fingerprint() == other.fingerprint()
    assert plain.alphabet() == other.alphabet()
    assert "ä" in plain.alphabet()
    assert "\r" not in other.alphabet()
    np.testing.assert_array_equal(plain.load().train.x, other.load().train.x)


# --- fingerprints ---------------------------------------------------------------------------


def test_the_fingerprint_follows_the_text_that_is_used(tmp_path: Path) -> None:
    text = "abcdefghij" * 50
    source = Text(root=write(tmp_path, text), length=8, characters=400)
    same = replace(source, root=write(tmp_path, text, "elsewhere"))
    longer = replace(source, root=write(tmp_path, text + "more", "longer"))
    changed = replace(source, root=write(tmp_path, text.replace("a", "b"), "changed"))

    assert source.fingerprint() == same.fingerprint() == longer.fingerprint()
    assert source.fingerprint() != changed.fingerprint()
    assert source.fingerprint() != replace(source, characters=399).fingerprint()
    assert (
        len({source.fingerprint(), Text().fingerprint(), Text(characters=9999).fingerprint()}) == 3
    )


def test_another_process_reads_alike() -> None:
    code = "from isoexp.data import Text; print(Text().fingerprint(), ascii(Text().alphabet()))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == f"{Text().fingerprint()} {Text().alphabet()!a}", done.stderr


# --- what can be learnt ---------------------------------------------------------------------


def test_the_last_character_tells_of_the_next() -> None:
    """By the table of pairs, half as often again as the most frequent character alone."""

    splits = load()
    pairs = np.zeros((40, 40))
    np.add.at(pairs, (splits.train.x.argmax(axis=2), splits.train.y), 1)

    y = splits.test.y
    always = (y == pairs.sum(axis=0).argmax()).mean()
    guessed = (y == pairs.argmax(axis=1)[splits.test.x.argmax(axis=2)]).mean()

    assert always < 0.2
    assert guessed > 1.5 * always


# --- errors ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"length": 0}, "length must be at least 1, got 0"),
        ({"characters": 0}, "characters must be at least 1, got 0"),
        ({"vocabulary": 1}, "vocabulary must be at least 2, got 1"),
    ],
)
def test_refuses_bad_settings(settings, message: str) -> None:
    with pytest.raises(ValueError) as caught:
        Text(**settings)

    assert str(caught.value) == message


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    missing = tmp_path / "no"

    assert (
        refusal(lambda: Text(root=str(missing))) == f"data.root must be a text file, got {missing}"
    )
    assert refusal(lambda: Text(root=str(tmp_path))).startswith("data.root must be a text file")


@pytest.mark.parametrize("content", [b"", b"short"])
def test_refuses_what_is_too_short(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "text").write_bytes(content)
    source = Text(root=str(tmp_path / "text"))

    for use in (source.fingerprint, source.load):
        assert refusal(use) == (
            "a text must have 650 characters for windows of 64, "
            f"got {len(content)}: lower data.length, or use more text"
        )


def test_refuses_what_is_not_utf8(tmp_path: Path) -> None:
    path = tmp_path / "latin.txt"
    path.write_bytes(("Ärger " * 200).encode("latin-1"))

    message = refusal(Text(root=str(path)).load)
    assert message.startswith(f"data.root must be a text file in UTF-8, got {path}")


def test_a_python_without_documentation_is_told_what_to_do(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)

    assert "data.root=FILE" in refusal(Text().load)
    assert "pydoc_data" in refusal(Text().fingerprint)
    assert Text(root=write(tmp_path, "abc" * 300), length=8).load().outputs == 4


def test_a_long_file_is_not_read_to_its_end(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What comes after the characters that are used may be anything, not even UTF-8."""

    path = tmp_path / "long"
    path.write_bytes(b"abc " * 10_000 + b"\xff")

    assert len(Text(root=str(path), characters=1000).text()) == 1000
    assert "UTF-8" in refusal(Text(root=str(path)).text)
