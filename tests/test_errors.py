"""Tests for isoexp.errors."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from isoexp.errors import UserError, did_you_mean, failure, one_line, suggest

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


@pytest.mark.parametrize(
    "ask",
    [
        lambda: torch.zeros(10**15),
        lambda: np.zeros(10**15),
        lambda: bytearray(10**17),
        lambda: torch.zeros(10**7).expand(10**7, 10**7).clone(),
    ],
)
def test_too_little_memory_is_told_with_what_to_lower(ask: Callable[[], object]) -> None:
    with pytest.raises((MemoryError, RuntimeError)) as found:
        ask()

    assert failure(found.value).startswith("out of memory")
    assert "lower batch_size, seeds, sweep.batch" in one_line(found.value)


def test_what_torch_tells_of_its_inside_is_left_out() -> None:
    with pytest.raises((TypeError, ValueError, OverflowError, RuntimeError)) as found:
        torch.empty(10**21)

    assert "frame #" not in one_line(found.value)


def test_a_file_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="Errno") as found:
        (tmp_path / "x" / "y").write_text("")

    assert failure(found.value) == f"{tmp_path}/x/y: No such file or directory"
