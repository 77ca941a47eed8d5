"""The figure of the probe ood_magnitude."""

__all__ = ["draw"]

from itertools import cycle

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, STYLES, short, title, trained, untrained


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws accuracy, or loss without classes, against the factor: of all, of one feature.

    Beside them stands the correlation ρ of harm with deflection while the input is scaled.
    """

    answers = table.loc[table["layer"] == ""]
    behind = table.loc[(table["layer"] != "") & (table["site"] == table["site"].iloc[0])]
    whole = answers["feature"] == "whole"
    colors = dict(zip(dict.fromkeys(answers["site"]), cycle(COLORS), strict=False))

    figure.set_figwidth(1.75 * figure.get_figwidth())
    panels = figure.subplots(1, 3)
    measure = "loss" if np.isnan(np.asarray(answers["accuracy"])).all() else "accuracy"
    for site, rows in trained(answers.loc[whole]).groupby("site", sort=False):
        label = f"{short(site)} scaled"
        panels[0].plot(rows["scale"], rows[measure], color=colors[str(site)], label=label)
    control = untrained(answers.loc[whole]).query("site == 'input'")
    if len(control):
        label = "untrained, input scaled"
        panels[0].plot(control["scale"], control[measure], "--", **CONTROL, label=label)
    panels[0].set_ylabel(f"test {measure}")
    panels[0].set_title("all of the vector scaled", fontsize=9)
    _draw_features(answers.loc[~whole], panels[1], measure, colors)
    _draw_correlations(trained(behind), panels[2], colors)

    for axes in panels:
        axes.axvline(1.0, color="0.85", zorder=0)
        axes.set(xscale="log", xlabel="factor s")
        axes.set_xlim(0.9 * table["scale"].min(), 1.1 * table["scale"].max())
        if axes.get_legend_handles_labels()[0]:
            axes.legend(fontsize=7)
    for axes in panels[:2]:
        if measure == "loss":
            axes.set_yscale("log")
        else:
            axes.set_ylim(-0.03, 1.03)
    heading = title(table, "Out-of-distribution magnitude (Sec. 2.1)", "samples")
    figure.suptitle(heading, fontsize=10)


def _draw_features(table: pd.DataFrame, axes: Axes, measure: str, colors: dict[str, str]) -> None:
    """Draws each feature in each layer, on the samples of its class alone."""

    every = trained(table)
    for feature, style in zip(dict.fromkeys(every["feature"]), cycle(STYLES), strict=False):
        rows = every.loc[every["feature"] == feature]
        for site, one in rows.groupby("site", sort=False):
            color = colors[str(site)]
            axes.plot(one["scale"], one[measure], style, color=color, linewidth=1)
        label = f"{feature}, n = {rows['n'].iloc[0]}"
        axes.plot([], [], style, color="0.4", linewidth=1, label=label)
    axes.set_ylabel(f"test {measure}, on such samples")
    axes.set_title("one feature scaled, same colours", fontsize=9)


def _draw_correlations(table: pd.DataFrame, axes: Axes, colors: dict[str, str]) -> None:
    """Draws Spearman's ρ between the change of deflection and of loss, with its 95 % interval."""

    for layer, rows in table.groupby("layer", sort=False):
        s, color = rows["scale"], colors[str(layer)]
        if not np.isnan(np.asarray(rows["rho"])).all():
            axes.plot(s, rows["rho"], color=color, label=short(layer))
            axes.fill_between(s, rows["rho_low"], rows["rho_high"], color=color, alpha=0.2, lw=0)
    if np.isnan(np.asarray(table["rho"])).all():
        what = "the deflection does not vary"
        axes.text(0.5, 0.75, what, ha="center", fontsize=8, transform=axes.transAxes)
    axes.axhline(0, **CONTROL)
    axes.set_ylim(-1, 1)
    axes.set_ylabel("Spearman's ρ, 95 %")
    axes.set_title("Δ loss with Δ deflection, input scaled", fontsize=9)
