"""Runs the tests of unhooked.py, without the hook that checks shapes."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.slow
def test_what_the_hook_forbids(tmp_path: Path) -> None:
    done = subprocess.run(
        [
            *(
                sys.executable,
                "-m",
                "pytest",
                "--noconftest",
                "-p",
                "no:cacheprovider",
                "-p",
                "no:logging",
            ),
            Path(__file__).with_name("unhooked.py"),
        ],
        cwd=Path(__file__).parent.parent,
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stdout + done.stderr
