"""Decision boundaries in the plane: of random labels, from a random start, from there, and repaired."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.style import panels
from studies.bad_minima.plane import crossings

CAPTION = (
    "Classes that a network of the first seed gives to the points of the plane: after random labels "
    "were fitted, trained from a random start, trained from there, and trained from there under "
    "regularization. Above each panel: boundary crossings per random segment, of the network shown."
)
PANELS = {
    "random labels": None,
    "random start": {"init": "random", "optimizer": "vanilla"},
    "adversarial start": {"init": "adversarial", "optimizer": "vanilla"},
    "adversarial, regularized": {"init": "adversarial", "optimizer": "regularized"},
}


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per panel and point of the grid; `beside` is the pretraining."""
    trained, before = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    tables = []
    for panel, place in PANELS.items():
        plane = (before if place is None else trained.sel(place)).plane.isel(seed=0, output=0, drop=True)
        y, x = np.meshgrid(plane.plane_y.values, plane.plane_x.values, indexing="ij")
        count = float(crossings(plane.expand_dims(output=1)))
        found = {"panel": panel, "crossings": count, "x": x.ravel(), "y": y.ravel()}
        tables.append(pd.DataFrame(found | {"estimate": plane.values.ravel()}))
    return pd.concat(tables, ignore_index=True)


def draw(table: pd.DataFrame) -> Figure:
    """Four panels."""
    figure, (axes,) = panels(1, len(PANELS), width=2.3, height=3.1)
    for ax, panel in zip(axes, PANELS, strict=True):
        here = table[table.panel == panel]
        side = len(set(here.x))
        x, y, f = (here[name].to_numpy(float).reshape(side, side) for name in ("x", "y", "estimate"))
        ax.contourf(x, y, f > 0, levels=[-0.5, 0.5, 1.5], colors=["#a3c4dc", "#fbeadc"])
        ax.contour(x, y, f, levels=[0], colors="#333333", linewidths=0.8)
        ax.set_title(f"{panel}\n{float(here.crossings.iloc[0]):.2f} crossings")
        ax.set_aspect("equal")
        ax.set_xlabel("x₁")
    axes[0].set_ylabel("x₂")
    return figure
