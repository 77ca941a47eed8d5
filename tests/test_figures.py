"""Tests for isoexp.figures: what all share. That each shows its numbers is tested beside it."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.image as plt
import numpy as np
import pandas as pd
import pytest

from isoexp import figures
from isoexp.config.groups import choices
from isoexp.errors import UserError
from isoexp.figures import arms, equivariance, refraction
from isoexp.figures.style import short, title, trained
from isoexp.probes import Equivariance, probe
from isoexp.store.tables import write_table

from .experiment.runs import TINY, run
from .probes.subjects import subject


@pytest.mark.parametrize("probe", sorted(set(choices()["probe"]) - {"all", "none"}))
def test_every_probe_has_a_figure(probe: str) -> None:
    """Of tables from before they named their drawer, too."""

    named = f"isoexp.figures.{probe}:draw"

    assert figures.drawer(Path(f"{probe}.parquet")) == named
    assert callable(figures.find(named))


def test_what_figures_share_draws_no_table() -> None:
    for name in ("style", "arms", "__init__.x", "mine"):
        assert figures.drawer(Path(f"{name}.parquet")) is None


def test_a_table_names_its_drawer(tmp_path: Path) -> None:
    path = tmp_path / "refraction.parquet"
    named = "mylab.drawing:draw"
    write_table(path, {"n": [1]}, {"n": int}, {}, {}, figures.metadata(named))

    assert figures.drawer(path) == named
    assert figures.metadata(None) == {}


@pytest.mark.parametrize(
    ("named", "says"),
    [
        ("isoexp.figures.arms:dotts", "has no attribute 'dotts'"),
        ("isoexp.figures.painting:draw", "No module named 'isoexp.figures.painting'"),
        ("isoexp.figures.refraction", "must be named 'module:function', got 'isoexp.figures.ref"),
        ("isoexp.figures.refraction:PANELS", "drawing needs a function, and .* is none"),
        ("isoexp.figures.arms:np.load", "must be named 'module:function'"),
        ("isoexp.cli:main", "of a package that may not run"),
        ("os:remove", "drawing needs os:remove, of a package that may not run: --allow os permits"),
    ],
)
def test_what_a_table_may_not_name(named: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ISOEXP_ALLOW", raising=False)

    with pytest.raises(UserError, match=says):
        figures.find(named)


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
    how = equivariance.draw
    figure = figures.draw(how, table, command)

    caption = figure.texts[-1]
    assert caption.get_text().replace("\n", " ") == command
    figure.draw_without_rendering()
    assert caption.get_window_extent().y1 < 0

    figures.save(how, table, tmp_path / "without.png")
    figures.save(how, table, tmp_path / "with.png", command)
    without, with_caption = (plt.imread(tmp_path / f"{n}.png") for n in ("without", "with"))
    assert with_caption.shape[0] > without.shape[0]


OWN = {
    "text.usetex": "True", "savefig.format": "pdf", "savefig.dpi": "17", "figure.dpi": "33",
    "savefig.transparent": "True", "figure.figsize": "1, 1", "font.family": "Nowhere Sans",
    "font.size": "30", "axes.prop_cycle": "cycler('color', ['r', 'g'])", "axes.facecolor": "black",
    "axes.unicode_minus": "False", "lines.linewidth": "9", "svg.fonttype": "path",
    "svg.hashsalt": "mine", "text.parse_math": "False", "image.cmap": "gray",
    "interactive": "True", "timezone": "Nowhere/Nowhere",
}  # fmt: skip
"""The settings of a user of matplotlib, which would change a figure or draw none."""

ARMS = ("acc", True, [("a", np.array([0.1, 0.2, 0.3])), ("b", np.array([1.0, 2.0, 3.0]))])

NAMES = "model.0", "model.$\\frac{$", "model._x"


def layers() -> pd.DataFrame:
    """A table of layers that are called as formulas begin."""

    it = subject()
    table = probe(it.model, it.x, Equivariance(draws=1))
    names = dict(zip(table["layer"].unique(), NAMES, strict=False))

    return table.replace({"layer": names})


def drawn(folder: Path) -> list[bytes]:
    """Draws a probe's figure, and one of a report."""

    figures.save(equivariance.draw, layers(), folder / "a.png", "isoexp train a=$x$")
    drawing = arms.dots([ARMS])

    return [(folder / "a.png").read_bytes(), drawing or b""]


def test_settings_of_the_users_change_no_figure_and_stay(tmp_path: Path) -> None:
    plain = drawn(tmp_path)
    own: Any = {key: value for key, value in OWN.items() if key != "axes.prop_cycle"}
    with matplotlib.rc_context():
        matplotlib.rcParams.update(own)
        before = dict.copy(matplotlib.rcParams)
        assert drawn(tmp_path) == plain
        assert dict.copy(matplotlib.rcParams) == before


@pytest.mark.slow
@pytest.mark.parametrize(
    ("content", "backend"),
    [
        ("\n".join(f"{key}: {value}" for key, value in OWN.items()).encode(), "module://no.such"),
        (b"\xff\xfe\x00", "nonsense"),
    ],
)
def test_files_of_the_users_change_no_figure(
    content: bytes, backend: str, folder: Path, tmp_path: Path
) -> None:
    """Not one by which matplotlib cannot be imported, either."""

    layers().to_parquet("table.parquet")
    plain = drawn(tmp_path)
    Path("matplotlibrc").write_bytes(content)
    code = (
        "import os, pandas as pd; from pathlib import Path; from isoexp import figures\n"
        "from isoexp.figures import arms; from numpy import array\n"
        f"Path('b.svg').write_bytes(arms.dots([{ARMS!r}]))\n"
        "how = figures.find('isoexp.figures.equivariance:draw')\n"
        "table = pd.read_parquet('table.parquet')\n"
        "figures.save(how, table, Path('a.png'), 'isoexp train a=$x$')\n"
        f"assert os.environ['MPLBACKEND'] == {backend!r}; assert Path('matplotlibrc').exists()\n"
    )
    environment = {**os.environ, "MPLBACKEND": backend, "MATPLOTLIBRC": str(folder)}
    subprocess.run([sys.executable, "-c", code], check=True, env=environment)

    assert [Path("a.png").read_bytes(), Path("b.svg").read_bytes()] == plain


@pytest.mark.slow
@pytest.mark.usefixtures("folder")
def test_a_figure_is_drawn_again_without_torch() -> None:
    run(*TINY, "epochs=1", "probe=[equivariance]", "probe.equivariance.draws=1")
    code = (
        "import sys, pandas; from pathlib import Path; from isoexp import figures\n"
        "(path,) = Path('runs').glob('*/*/probes/equivariance.parquet')\n"
        "how = figures.find(figures.drawer(path))\n"
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
    assert figures.undrawn(tmp_path) == {probes / "mine.parquet": None}
    assert list(figures.undrawn(tmp_path, again=True)) == [
        probes / "mine.parquet",
        probes / "refraction.parquet",
    ]


def test_what_breaks_a_figure_is_kept_until_it_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(table: Any, figure: Any) -> None:
        raise RuntimeError("no\nink")

    path = tmp_path / "refraction.parquet"
    write_table(path, {"n": [1]}, {"n": int}, {}, {})
    said = tmp_path / "refraction.figure-error.txt"

    monkeypatch.setattr(refraction, "draw", broken)
    assert figures.draw_beside(path, "") == "RuntimeError: no ink"
    assert "in broken" in said.read_text()
    assert not (tmp_path / "refraction.png").exists()
    monkeypatch.setattr(refraction, "draw", lambda table, figure: None)
    assert figures.draw_beside(path, "") is None
    assert not said.exists()
    assert (tmp_path / "refraction.png").exists()


def test_settings_of_matplotlib_change_no_figure(tmp_path: Path) -> None:
    """Of a matplotlibrc, a style, a notebook."""

    it = subject()
    table = probe(it.model, it.x, Equivariance(draws=1))
    figures.save(equivariance.draw, table, tmp_path / "usual.png", "isoexp train")

    changed: Any = {
        "text.usetex": True,
        "font.size": 20.0,
        "savefig.dpi": 50,
        "savefig.bbox": "tight",
        "axes.facecolor": "black",
        "figure.constrained_layout.use": True,
    }
    with matplotlib.rc_context(changed):
        figures.save(equivariance.draw, table, tmp_path / "changed.png", "isoexp train")
        assert matplotlib.rcParams["font.size"] == 20

    assert (tmp_path / "changed.png").read_bytes() == (tmp_path / "usual.png").read_bytes()
