"""Figures of the probes' tables, for a file, W&B or a paper. No torch: they draw from parquet.

Each draws a table, as the probe wrote it, on an empty matplotlib figure.
"""

__all__ = ["FIGURES", "alignment", "ood_magnitude", "refraction", "save"]

from collections.abc import Callable, Iterator
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure

CONTROL = {"color": "0.6", "linewidth": 1.0}
COLORS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")  # Okabe and Ito
UNTRAINED = "untrained"


def refraction(table: "pd.DataFrame", figure: "Figure") -> None:
    """Mean deflection θ(α) by each activation: random rays, and the data's own directions."""

    axes = figure.subplots()
    for color, (layer, rows) in _colored(table, "layer"):
        for kind, style in (("random", "-"), ("data", "--")):
            part = rows[rows["rays"] == kind]
            label = _short(layer) if kind == "random" else None
            axes.plot(part["alpha"], part["theta_mean_rad"], style, color=color, label=label)
        own = rows[rows["rays"] == "data_own"]
        axes.plot(own["alpha"], own["theta_mean_rad"], "o", color=color)
    for style, what in (("-", "random rays"), ("--", "data rays"), ("o", "data as it is")):
        axes.plot([], [], style, color=CONTROL["color"], label=what)

    axes.set(xscale="log", xlabel="magnitude α", ylabel="deflection θ (rad)")
    axes.set_ylim(-0.01, max(0.05, axes.get_ylim()[1]))
    figure.legend(fontsize=7, loc="outside lower center", ncols=3)
    largest = np.nanmax(np.asarray(table["theta_max_rad"]), initial=0.0)
    axes.set_title(_title(table, f"Refraction (Eqn 7), at most {largest:.2g} rad", "rays a point"))


def ood_magnitude(table: "pd.DataFrame", figure: "Figure") -> None:
    """Accuracy (loss, where there are no classes) against the factor, site by site."""

    measure = "loss" if np.isnan(np.asarray(table["accuracy"])).all() else "accuracy"
    axes = figure.subplots()
    for color, (site, rows) in _colored(table, "site"):
        axes.plot(rows["scale"], rows[measure], color=color, label=f"{_short(site)} scaled")
    control = table[(table["network"] == UNTRAINED) & (table["site"] == "input")]
    axes.plot(control["scale"], control[measure], "--", **CONTROL, label="untrained, input scaled")

    axes.axvline(1.0, color="0.85", zorder=0)
    axes.set(xscale="log", xlabel="factor s", ylabel=f"test {measure}")
    if measure == "loss":
        axes.set_yscale("log")
    axes.legend(fontsize=7)
    axes.set_title(_title(table, "Out-of-distribution magnitude (Sec. 2.1)", "samples"))


def alignment(table: "pd.DataFrame", figure: "Figure") -> None:
    """Coordinates of unit activations: standard basis, random bases and the exact null."""

    layers = list(_trained(table).groupby("layer", sort=False))
    figure.set_figwidth(max(figure.get_figwidth(), 2.4 * len(layers)))
    grid = figure.subplots(1, len(layers), squeeze=False, sharey=True)[0]

    for axes, (layer, rows) in zip(grid, layers, strict=True):
        standard, random = (rows[rows["basis"] == basis] for basis in ("standard", "random"))
        t = (standard["bin_left"] + standard["bin_right"]) / 2
        width = standard["bin_right"] - standard["bin_left"]
        axes.plot(t, standard["null_fraction"] / width, **CONTROL, label="uniform on the sphere")
        mean, sd = np.asarray(random["fraction"]), np.asarray(random["fraction_sd"])
        w = np.asarray(width)
        axes.fill_between(t, (mean - sd) / w, (mean + sd) / w, color=COLORS[0], alpha=0.25)
        axes.plot(t, mean / w, color=COLORS[0], label="Haar-random bases, ± s.d.")
        axes.step(
            t, standard["fraction"] / width, color=COLORS[1], where="mid", label="standard basis"
        )
        axes.set(xlabel="x̂·ê", title=_short(str(layer)))

    grid[0].set_ylabel("density")
    handles, labels = grid[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, loc="outside lower center", ncols=3)
    figure.suptitle(_title(table, "Alignment (Sec. 2.3)", "samples"))


FIGURES: dict[str, Callable[["pd.DataFrame", "Figure"], None]] = {
    "refraction": refraction,
    "ood_magnitude": ood_magnitude,
    "alignment": alignment,
}
"""The figure of each probe's table, by the name of the table."""


def save(
    draw: Callable[["pd.DataFrame", "Figure"], None], table: "pd.DataFrame", path: Path
) -> None:
    """Draws a table into a PNG file."""

    from matplotlib.figure import Figure

    # No pyplot: it takes longer to import, and looks for a display.
    figure = Figure(figsize=(6.4, 4.0), dpi=150, layout="constrained")
    draw(table, figure)
    figure.savefig(path)


def _colored(table: "pd.DataFrame", column: str) -> "Iterator[tuple[str, tuple]]":
    """Yields a colour with each group of the trained network's rows."""

    yield from zip(cycle(COLORS), _trained(table).groupby(column, sort=False), strict=False)


def _short(layer: str) -> str:
    """Returns the path of an activation without that it is one."""

    return layer.removesuffix(".activation")


def _trained(table: "pd.DataFrame") -> "pd.DataFrame":
    return table.loc[table["network"] != UNTRAINED]


def _title(table: "pd.DataFrame", what: str, unit: str) -> str:
    run = table.iloc[0]

    which = f"{run['activation']}, {run['model']}, {run['data']}, seed {run['seed']}"

    return f"{what}\n{which}, {int(run['n'])} {unit}"
