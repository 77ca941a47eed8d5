"""The wheel, alone in a fresh environment outside the repository, runs the same command."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.slow
def test_the_wheel_trains(tmp_path: Path) -> None:
    build = ["-m", "build", "--wheel", "--no-isolation", "--outdir", str(tmp_path), str(ROOT)]
    subprocess.run([sys.executable, *build], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("isoexp-*.whl")

    # Dependencies are lent, not installed again; a path in a .pth file lends no editable install.
    venv.create(tmp_path / "env", with_pip=False, symlinks=True)
    python = tmp_path / "env" / "bin" / "python"
    code = "import sysconfig; print(sysconfig.get_path('purelib'))"
    found = subprocess.run([python, "-c", code], check=True, capture_output=True, text=True)
    site = Path(found.stdout.strip())
    subprocess.run([sys.executable, "-m", "zipfile", "-e", wheel, site], check=True)
    (site / "lent.pth").write_text(sysconfig.get_path("purelib"))

    work = tmp_path / "work"
    work.mkdir()
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}

    def isoexp(*words: str) -> str:
        done = subprocess.run(
            [python, "-P", "-m", "isoexp", *words],
            cwd=work,
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout

    code = "import isoexp; print(isoexp.__file__)"
    where = subprocess.run([python, "-P", "-c", code], check=True, capture_output=True, text=True)
    assert Path(where.stdout.strip()).is_relative_to(site)

    assert "f(x) = tanh(‖x‖) x̂" in isoexp("list", "activation")
    words = ("train", "activation=iso_tanh", "model=mlp", "epochs=2", "probe=none")
    assert "results  runs/main/" in isoexp(*words)
    assert "done before" in isoexp(*words)
    assert "completed" in isoexp("ls")
