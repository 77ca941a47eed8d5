"""What is printed steers no terminal."""

import io
import threading

import pytest

from isoexp.output import ended, line, plural, printable, say


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("plain θ ≤ 5\u00a0% 漢字 é\n", "plain θ ≤ 5\u00a0% 漢字 é\n"),
        ("\x1b[31mred", r"\x1b[31mred"),
        ("\x9b2J", r"\x9b2J"),  # the same in one character
        ("a\rb\bc\x00d\x07\x7f\te", r"a\rb\x08c\x00d\x07\x7f\te"),
        ("a\u202eb\u2066c\u200fd\ufeff", r"a\u202eb\u2066c\u200fd\ufeff"),
        ("a\u2028b\u2029c\x85d", r"a\u2028b\u2029c\x85d"),
        ("\udcff", r"\udcff"),  # the name of a file that is no text
        ("\ue000\U000e0041", r"\ue000\U000e0041"),
    ],
)
def test_what_steers_is_spelt_out(text: str, told: str) -> None:
    assert printable(text) == told


def test_a_line_is_one() -> None:
    assert line("a\nb\r\nc\x1bd\n") == r"a b c\x1bd"
    assert line("  two  spaces") == "  two  spaces"


def test_lines_of_threads_do_not_mix() -> None:
    class Stream(io.StringIO):
        def write(self, text: str) -> int:
            written.append(text)
            return len(text)

    written: list[str] = []
    stream = Stream()
    threads = [threading.Thread(target=say, args=(n, stream)) for n in range(4)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()

    assert sorted(written) == ["0\n", "1\n", "2\n", "3\n"]


def test_a_hint_ends_its_sentence() -> None:
    assert ended("there is none") == "there is none."
    assert ended("there is none; did you mean sweep?") == "there is none; did you mean sweep?"


def test_one_is_no_plural() -> None:
    assert [plural(n, "network") for n in (0, 1, 2)] == ["0 networks", "1 network", "2 networks"]
    assert plural(12_345, "run") == "12,345 runs"
