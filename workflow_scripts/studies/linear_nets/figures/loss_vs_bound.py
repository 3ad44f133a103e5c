"""The loss of two-layer linear networks on the way, below the bound that their imbalance sets."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.stats import mean_interval
from minima.findings.style import Look, line, number_of_seeds, panels
from studies.linear_nets.quantities import PAPER_BALANCED, PAPER_CASES, log_bound

CAPTION = (
    "Loss ‖Y − XUVᵀ‖²/n under gradient descent against the bound exp(−2λ_r c t) of Theorem 1 of "
    "2105.06351, by the scales (σ_U, σ_V) of the initialization, and from a balanced start, where c = 0 "
    "and the bound says nothing. Crosses: the published values at 15,000 steps, of one run. The published "
    "legend prints the second case as (0.2, 0.05), but its c = 39.6 is that of (0.5, 0.02). Lines: means "
    "over seeds; bands: 95 % t intervals."
)
COLUMNS = ["panel", "series", "x", "estimate", "low", "high", "n"]
LOOKS = {"loss": Look("#0072B2", "", "-"), "bound": Look("#D55E00", "", "--")}


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per case, series and step; `beside` names a block of balanced networks."""
    trained = tree[f"trained/{block}"].to_dataset()
    rows: list[tuple] = []
    for case in trained.layer_scales.values.tolist():
        name = f"({case})"
        rows += _rows(name, trained.sel(layer_scales=case))
        _, loss, bound = PAPER_CASES.get(case, (None, None, None))
        rows += _published(name, trained, "loss", loss) + _published(name, trained, "bound", bound)
    if beside:
        balanced = tree[f"trained/{beside}"].to_dataset()
        rows += _rows("balanced", balanced) + _published("balanced", balanced, "loss", PAPER_BALANCED)
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per case."""
    names = list(dict.fromkeys(table.panel))
    figure, (axes,) = panels(1, len(names), width=2.5)
    for ax, name in zip(axes, names, strict=True):
        here = table[table.panel == name]
        ax.set_yscale("log")
        for series, points in here.groupby("series", sort=False):
            colour = LOOKS[str(series).removeprefix("published ")].colour
            if str(series).startswith("published"):
                ax.plot(points.x, points.estimate, "x", color=colour, label=str(series), clip_on=False)
            else:
                line(ax, points, LOOKS[str(series)], str(series))
        ax.set_title(f"{name}, {number_of_seeds(here[here.series == 'loss'])}")
        ax.set_xlabel("steps")
    axes[0].set_ylabel("‖Y − XUVᵀ‖²/n")
    axes[0].legend()
    return figure


def _rows(panel: str, trained: xr.Dataset) -> list[tuple]:
    curves = {"loss": 2 * trained.loss, "bound": 2 * trained.loss.isel(step=0) * np.exp(log_bound(trained))}
    return [
        (panel, series, step, *mean_interval(curve.sel(step=step).values))
        for series, curve in curves.items()
        for step in trained.step.values.tolist()
    ]


def _published(panel: str, trained: xr.Dataset, series: str, value: float | None) -> list[tuple]:
    """The paper's number at its last step, where that is recorded."""
    if value is None or 15_000 not in trained.step.values:
        return []
    return [(panel, f"published {series}", 15_000, value, np.nan, np.nan, 1)]
