"""Training losses beside what a frozen kernel predicts, on a logarithmic and on a doubly logarithmic axis."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import places
from minima.findings.stats import NotEstimable
from minima.findings.style import panels, shades
from minima.findings.trajectories import predicted_loss, relative_loss

CAPTION = (
    "Loss over initial loss against the step, of the first network of each setting: trained (lines) and, "
    "where the kernel's spectrum is kept and the optimizer's recursion known, as its kernel at the start, "
    "frozen, predicts (dotted). An exponential is straight on the left, a power law on the right. Left and "
    "right show the same curves."
)
COLUMNS = ["panel", "series", "x", "trained", "estimate"]
POINTS = 400  # of each curve, evenly in step or in its logarithm


def tabulate(tree: xr.DataTree, block: str, *beside: str) -> pd.DataFrame:
    """One row per block, place of its axes and step; `estimate` is the prediction, or NaN."""
    rows: list[tuple] = []
    for name in (block, *beside):
        node = tree[f"trained/{name}"].to_dataset().isel(seed=0)
        trained = relative_loss(node)
        predicted = _predicted(node, trained)
        steps = _thinned(node.step.values)
        for label, place in places(trained, "step"):
            curves = (trained.sel(place).sel(step=steps), predicted.sel(place).sel(step=steps))
            rows += [
                (name, label or name, *row) for row in zip(steps, *(c.values for c in curves), strict=True)
            ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A row per block, its two axes side by side."""
    names = list(dict.fromkeys(table.panel))
    figure, axes = panels(len(names), 2, width=3.6, share=False)
    for name, (left, right) in zip(names, axes, strict=True):
        here = table[table.panel == name]
        for ax in (left, right):
            for colour, (label, curve) in zip(shades(here.series.nunique()), _curves(here), strict=True):
                curve = curve[curve.x > 0] if ax is right else curve
                ax.plot(curve.x, curve.trained, color=colour, linewidth=1.2, label=label.replace("_", " "))
                (frozen,) = ax.plot(curve.x, curve.estimate, color="black", linestyle=":", linewidth=0.9)
            ax.set_yscale("log")
            ax.set_xlabel("step")
        right.set_xscale("log")
        left.set_ylabel("loss / initial loss")
        left.set_title(name.replace("_", " "))
        if here.estimate.notna().any():
            frozen.set_label("frozen kernel")  # one entry for all
        right.legend()
    return figure


def _predicted(node: xr.Dataset, trained: xr.DataArray) -> xr.DataArray:
    try:
        return predicted_loss(node)
    except NotEstimable:
        return xr.full_like(trained, np.nan)


def _curves(table: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [(str(label), curve) for label, curve in table.groupby("series", sort=False)]


def _thinned(steps: np.ndarray) -> np.ndarray:
    """A part of the recorded steps that looks the same on both axes."""
    wanted = np.concatenate([np.linspace(0, steps[-1], POINTS), np.geomspace(1, max(steps[-1], 1), POINTS)])
    return np.unique(steps[np.clip(np.searchsorted(steps, wanted), 0, len(steps) - 1)])
