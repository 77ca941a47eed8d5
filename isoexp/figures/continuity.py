"""The figure of the probe continuity."""

__all__ = ["draw"]

from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from .style import CONTROL, colored, name_layers, plain, short, title, trained, untrained

MOST_NAMES = 8


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws R² of decoders, the strongest levels, interpolation, and angles to limit points."""

    figure.set_size_inches(8.6, 5.8)
    (decoded, levels), (between, angles) = figure.subplots(2, 2)
    places = list(dict.fromkeys(trained(table)["layer"]))
    before = untrained(table)

    for color, (factor, rows) in colored(table, "factor"):
        for part, how in ((rows, "o-"), (before[before["factor"] == factor], ":")):
            for axes, shown in zip((decoded, between, angles), _shown(part), strict=True):
                x = [places.index(layer) for layer in shown.index]
                axes.plot(x, shown, how, color=color, markersize=3, label=plain(factor))

    decoded.set(ylabel="R² of a linear decoder", ylim=(min(-0.05, decoded.get_ylim()[0]), 1.05))
    between.axhline(1, **CONTROL)
    between.set_ylabel("error half way between samples\n/ error of samples as they are")
    angles.axhline(0, **CONTROL)
    angles.set_ylabel("angle to the nearest limit point\nless that in random bases (rad)")
    for axes in (decoded, between, angles):
        name_layers(axes, places, -(-len(places) // MOST_NAMES), rotation=20, ha="right")
        axes.set_xlim(-0.3, len(places) - 0.7)
    _draw_levels(levels, table)

    lines, factors = decoded.get_legend_handles_labels()
    named = dict(zip(factors[::2], lines[::2], strict=True))
    (dotted,) = decoded.plot([], [], ":", color="0.4")
    (control,) = decoded.plot([], [], **CONTROL)
    named |= {"untrained": dotted} if len(before) else {}
    named |= {"nothing to be found": control}
    figure.legend(list(named.values()), list(named), fontsize=7, loc="outside right upper")
    figure.suptitle(title(trained(table), "Continuity of factors (Sec. 2.3)", "samples decoded"))


def _draw_levels(axes: Axes, table: pd.DataFrame) -> None:
    """Draws ρ_m at the hidden layer where it is largest for some m ≥ 2."""

    rows: Any = trained(table)
    rows = rows[rows["measure"] == "levels"]
    hidden = rows[~rows["layer"].isin(["inputs", "outputs"]) & (rows["at"] >= 2)]
    if hidden["value"].notna().any():
        layer = hidden.loc[hidden["value"] == hidden["value"].max(), "layer"].iloc[0]
        for color, (_, part) in colored(rows, "factor"):
            there = part[part["layer"] == layer]
            axes.plot(there["at"], there["value"], "o-", color=color, markersize=3)
            axes.plot(there["at"], there["null_high"], **CONTROL)
        axes.set_title(f"at {short(layer)}", fontsize=8)
        axes.set_xticks(rows["at"].unique())
    axes.tick_params(axis="x", labelsize=7)
    axes.set(xlabel="levels m", ylabel="resultant ρ of decoded values", ylim=(0, None))


def _shown(rows: Any) -> tuple[Any, Any, Any]:
    decoded, between, angles = (
        rows[rows["measure"] == measure].set_index("layer")
        for measure in ("decode_r2", "interpolation_error", "limit_angle_rad")
    )
    off = (between["at"] - 0.5).abs()
    half = between[off == off.min()]
    half = half[~half.index.duplicated()]  # of λ = 1/3 and 2/3, one
    angles = angles[angles["basis"] == "standard"]

    return decoded["value"], half["value"] / half["null"], angles["value"] - angles["null"]
