"""The figure of the probe connectivity."""

__all__ = ["draw"]

import pandas as pd
from matplotlib.figure import Figure

from .style import COLORS, CONTROL, title, trained

PANELS = {
    "to copies of itself (Eqn 15)": {
        "geodesic": ({"color": COLORS[0], "linewidth": 2.4}, "a rotation"),
        "permutation geodesic": ({"color": COLORS[1], "linewidth": 1.0}, "a permutation"),
    },
    "to a twin of another seed": {
        "raw": (CONTROL, "as it is"),
        "permutation": ({"color": COLORS[1]}, "permuted"),
        "signed": ({"color": COLORS[4]}, "permuted ±"),
        "orthogonal": ({"color": COLORS[0]}, "rotated"),
    },
}
"""The paths of each panel, each with its style and its end."""

LEGEND = {
    "title": "end of the path, barrier (test)",
    "fontsize": 7,
    "title_fontsize": 7,
    "ncols": 2,
}


def draw(table: pd.DataFrame, figure: Figure) -> None:
    """Draws the loss along symmetry paths, and along straight paths to a twin."""

    rows = trained(table)
    rows = rows.loc[rows["layer"] == "all"]
    paths, splits = set(rows["path"]), set(rows["split"])
    panels = {what: styles for what, styles in PANELS.items() if paths & set(styles)}
    grid = figure.subplots(1, len(panels), squeeze=False, sharey=True)[0]
    for axes, (what, styles) in zip(grid, panels.items(), strict=True):
        for path, (style, label) in styles.items():
            for split, line in (("test", "-"), ("train", ":")):
                part = rows[(rows["path"] == path) & (rows["split"] == split)]
                over = part.groupby("draw")["barrier"].first().mean()
                most = "≤ " if "bound" in part and part["bound"].eq(True).any() else ""
                named = f"{label}, {most}{over:.2g}" if split == "test" and len(part) else None
                for _, each in part.groupby("draw", sort=False):
                    axes.plot(each["t"], each["loss"], line, **style, label=named)
                    named = None
        axes.set_xlabel("t")
        axes.set_title(what, fontsize=9)
        axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.18), **LEGEND)

    grid[0].set_ylabel("loss (train: dotted)" if "train" in splits else "loss")
    grid[0].set_ylim(bottom=0)
    figure.suptitle(title(table, "Connectivity (Sec. 2.2)", "samples"))
