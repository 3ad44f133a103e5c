"""Test error against the size of the initialization σ: trained networks and their linearized limits."""

from itertools import product

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.stats import t_interval
from minima.findings.style import panels, series

CAPTION = (
    "Test error against the initialization scale σ, of the trained networks and of the limits that their "
    "linearization at the start predicts. Lines: means over seeds (of the logarithm, for the squared error); "
    "bands: 95 % t intervals. Networks that did not converge are left out; n counts the others."
)
MEASURES = {"test_mse": "test mean squared error", "test_error": "test 0-1 error"}


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per panel, measure, series and σ: estimate, low, high, n."""
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    converged = trained.status == "converged"
    sources = {"trained": trained} | {str(p): predicted.sel(predictor=p) for p in predicted.predictor.values}
    across = [str(dim) for dim in trained.status.dims if dim not in ("scale", "seed")]
    rows = []
    for place in product(*(trained[dim].values.tolist() for dim in across)):
        chosen = dict(zip(across, place, strict=True))
        for measure, (kind, source) in product(MEASURES, sources.items()):
            if measure not in source:
                continue
            values = source[measure].where(converged).sel(chosen)
            for scale in trained.scale.values.tolist():
                here = values.sel(scale=scale).values
                log = measure == "test_mse"
                estimate, low, high, n = t_interval(np.log(here) if log else here)
                if log:
                    estimate, low, high = np.exp([estimate, low, high])
                panel = ", ".join(f"{dim} {value}" for dim, value in chosen.items())
                rows.append((panel, measure, kind, scale, estimate, low, high, n))
    return pd.DataFrame(rows, columns=["panel", "measure", "series", "scale", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """A column of panels per place in the grid, a row per measure."""
    names = list(dict.fromkeys(table.panel))
    measures = list(dict.fromkeys(table.measure))
    figure, axes = panels(len(measures), len(names))
    for (row, measure), (column, name) in product(enumerate(measures), enumerate(names)):
        here, ax = table[(table.measure == measure) & (table.panel == name)], axes[row][column]
        for kind, line in here.groupby("series", sort=False):
            series(ax, str(kind), line.scale, line.estimate, line.low, line.high)
        ax.set_yscale("log" if measure == "test_mse" else "linear")
        if row == 0:
            least, most = here.n.min(), here.n.max()
            ax.set_title(f"{name}\nn = {least}" if least == most else f"{name}\nn = {least} to {most}")
        if row == len(measures) - 1:
            ax.set_xlabel("initialization scale σ")
        if column == 0:
            ax.set_ylabel(MEASURES[measure])
    axes[0][0].legend()
    return figure
