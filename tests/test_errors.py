"""Tests for isoexp.errors."""

import pytest

from isoexp.errors import UserError, did_you_mean, one_line, suggest

WORDS = ["iso_tanh", "iso_relu", "tanh"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("iso_tan", "iso_tanh"), ("isorelu", "iso_relu"), ("tahn", "tanh"), ("quasi", None)],
)
def test_suggests_what_is_near(word: str, expected: str | None) -> None:
    assert suggest(word, WORDS) == expected
    assert suggest(word, iter(WORDS)) == expected


def test_did_you_mean_ends_a_message() -> None:
    assert did_you_mean("iso_tan", WORDS) == "; did you mean iso_tanh?"
    assert did_you_mean("quasi", WORDS) == ""
    assert did_you_mean("anything", []) == ""


def test_a_user_error_is_a_value_error() -> None:
    """So that who uses the package from Python catches one kind."""

    assert issubclass(UserError, ValueError)


def test_an_error_is_told_in_one_line() -> None:
    assert one_line(ValueError("first\n  second\tthird ")) == "first second third"
    assert one_line(KeyboardInterrupt()) == "KeyboardInterrupt"
