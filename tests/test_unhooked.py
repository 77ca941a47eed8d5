"""Runs the tests of unhooked.py, without the hook that checks shapes."""

import subprocess
import sys
from pathlib import Path

import pytest

OPTIONS = ["--noconftest", "-p", "no:cacheprovider", "-p", "no:logging"]


@pytest.mark.slow(70)
def test_what_the_hook_forbids() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *OPTIONS, Path(__file__).with_name("unhooked.py")],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
