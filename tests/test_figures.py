"""Tests for isoexp.figures: what all share. That each shows its numbers is tested beside it."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib.image as plt
import pandas as pd
import pytest

from isoexp import figures
from isoexp.config.groups import choices
from isoexp.figures.style import short, title, trained
from isoexp.probes import Equivariance, probe
from isoexp.store.tables import write_table

from .experiment.runs import TINY, run
from .probes.subjects import subject


def test_every_probe_has_a_figure() -> None:
    assert set(figures.FIGURES) == set(choices()["probe"]) - {"all", "none"}


def test_titles_say_which_network_and_how_many() -> None:
    run = {"activation": "tanh", "model": "mlp", "data": "digits", "seed": 3}
    table: Any = pd.DataFrame([{"n": 256, "network": "trained", **run}])

    assert title(table, "Refraction", "rays") == "Refraction\ntanh, mlp, digits, seed 3, 256 rays"
    assert title(table[["n"]], "Refraction", "rays") == "Refraction\n256 rays"


def test_the_network_shown_is_the_trained_one() -> None:
    table: Any = pd.DataFrame({"network": ["untrained", "snapshot", "trained"], "n": [1, 2, 3]})

    assert list(trained(table)["n"]) == [3]
    assert list(trained(table[["n"]])["n"]) == [1, 2, 3]
    assert short("hidden.0.activation") == "hidden.0"


def test_a_caption_stands_below_all_else(tmp_path: Path) -> None:
    it = subject()
    table = probe(it.model, it.x, Equivariance(draws=1))
    command = "isoexp train " + " ".join(f"model.setting_{i}={i}" for i in range(12))
    how = figures.FIGURES["equivariance"]
    figure = figures.draw(how, table, command)

    caption = figure.texts[-1]
    assert caption.get_text().replace("\n", " ") == command
    figure.draw_without_rendering()
    assert caption.get_window_extent().y1 < 0

    figures.save(how, table, tmp_path / "without.png")
    figures.save(how, table, tmp_path / "with.png", command)
    without, with_caption = (plt.imread(tmp_path / f"{n}.png") for n in ("without", "with"))
    assert with_caption.shape[0] > without.shape[0]


@pytest.mark.usefixtures("folder")
def test_a_probe_may_bring_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def plot(probe: object, table: Any, figure: Any) -> None:
        figure.subplots().plot(table["error_mean"])
        figure.set_size_inches(1, 1)

    monkeypatch.setattr(Equivariance, "draw", plot, raising=False)
    run(*TINY, "epochs=1", "probe=[equivariance]", "probe.equivariance.draws=1")
    (drawn,) = Path("runs").glob("**/probes/equivariance.png")

    assert plt.imread(drawn).shape[1] < 400


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_figure_is_drawn_again_without_torch() -> None:
    run(*TINY, "epochs=1", "probe=[equivariance]", "probe.equivariance.draws=1")
    code = (
        "import sys, pandas; from pathlib import Path; from isoexp import figures\n"
        "(path,) = Path('runs').glob('*/*/probes/equivariance.parquet')\n"
        "how = figures.FIGURES['equivariance']\n"
        "figures.save(how, pandas.read_parquet(path), Path('again.png'))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

    assert Path("again.png").read_bytes().startswith(b"\x89PNG")


def test_a_table_without_rows_lacks_no_figure(tmp_path: Path) -> None:
    probes = tmp_path / "probes"
    for name, rows in {"refraction": 2, "spectrum": 0, "mine": 2}.items():
        path = probes / f"{name}.parquet"
        write_table(path, {"n": [1] * rows}, {"n": int}, {}, {})

    assert figures.missing(tmp_path) == [probes / "refraction.parquet"]
    (probes / "refraction.png").touch()
    assert figures.missing(tmp_path) == []
    assert figures.missing(tmp_path, again=True) == [probes / "refraction.parquet"]


def test_what_breaks_a_figure_is_kept_until_it_is_drawn(tmp_path: Path) -> None:
    def broken(table: Any, figure: Any) -> None:
        raise RuntimeError("no\nink")

    path = tmp_path / "refraction.parquet"
    write_table(path, {"n": [1]}, {"n": int}, {}, {})
    said = tmp_path / "refraction.figure-error.txt"

    assert figures.draw_beside(path, "", broken) == "RuntimeError: no ink"
    assert "in broken" in said.read_text()
    assert not (tmp_path / "refraction.png").exists()
    assert figures.draw_beside(path, "", lambda table, figure: None) is None
    assert not said.exists()
    assert (tmp_path / "refraction.png").exists()
