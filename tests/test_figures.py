"""Tests for isoexp.figures: each shows the numbers of its table, and needs no torch."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure

import isoexp as package
from isoexp import figures

from .experiment.runs import TINY, run

pytestmark = pytest.mark.usefixtures("folder")


def drawn(name: str, *words: str) -> tuple[Any, Figure]:
    """The table of a probe of a short run, and its figure."""

    run(*TINY, "epochs=1", f"probe={name}", *words)
    table, figure = package.read("runs", name), Figure()
    figures.FIGURES[name](table, figure)

    return table, figure


def curves(figure: Figure) -> dict[str, Any]:
    """The curves of a figure by their labels."""

    return {
        str(line.get_label()): np.asarray(line.get_ydata())
        for axes in figure.axes
        for line in axes.lines
    }


def test_refraction_shows_theta_along_the_rays() -> None:
    table, figure = drawn("refraction", "activation=tanh")
    lines = figure.axes[0].lines
    assert [line.get_label() for line in lines if str(line.get_label())[0] != "_"] == [
        "hidden.0",
        "hidden.1",
        "random rays",
        "data rays",
        "data as it is",
    ]

    for i, layer in enumerate(("hidden.0.activation", "hidden.1.activation")):
        for j, kind in enumerate(("random", "data")):
            rows = table[
                (table["network"] == "trained")
                & (table["layer"] == layer)
                & (table["rays"] == kind)
            ]
            shown = np.asarray(lines[3 * i + j].get_ydata())
            np.testing.assert_array_equal(shown, rows["theta_mean_rad"])
    assert "tanh, mlp, spheres, seed 0, 256 rays" in figure.axes[0].get_title()


def test_ood_magnitude_shows_accuracy_and_the_control() -> None:
    table, figure = drawn("ood_magnitude")
    shown = curves(figure)

    for network, label in (("trained", "input scaled"), ("untrained", "untrained, input scaled")):
        rows = table[(table["network"] == network) & (table["site"] == "input")]
        np.testing.assert_array_equal(shown[label], rows["accuracy"])


def test_ood_magnitude_shows_the_loss_where_there_are_no_classes() -> None:
    table, figure = drawn("ood_magnitude", "model=autoencoder")
    rows = table[(table["network"] == "trained") & (table["site"] == "input")]

    np.testing.assert_array_equal(curves(figure)["input scaled"], rows["loss"])
    assert figure.axes[0].get_ylabel() == "test loss"


def test_alignment_shows_densities_that_integrate_to_one() -> None:
    _, figure = drawn("alignment")
    width = 2 / 61

    assert len(figure.axes) == 2
    for axes in figure.axes:
        for line in axes.lines:
            area = np.asarray(line.get_ydata()).sum() * width
            assert area == pytest.approx(1), line.get_label()


def test_a_figure_is_drawn_again_without_torch(folder: Path) -> None:
    run(*TINY, "epochs=1", "probe=refraction")
    code = (
        "import sys, pandas; from pathlib import Path; from isoexp import figures\n"
        "(path,) = Path('runs').glob('*/*/probes/refraction.parquet')\n"
        "figures.save(figures.refraction, pandas.read_parquet(path), Path('again.png'))\n"
        "assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)

    assert (folder / "again.png").read_bytes().startswith(b"\x89PNG")
