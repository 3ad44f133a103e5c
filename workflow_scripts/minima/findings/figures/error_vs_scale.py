"""Test error against the size of the initialization σ: trained networks, their linearized limits, infinitely
wide networks, and the strategies that take the initial function out."""

from itertools import product

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import at_place, means, places, same_networks
from minima.findings.measures import converged, power_of_scale
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, LOOKS, line, log_y, number_of_seeds, panels, ticks_at
from minima.theory.infinite_width import crossing

CAPTION = (
    "Test error against the initialization scale σ. Trained networks follow the limits that their own "
    "linearization at the start predicts; both follow the expectation over initializations of infinitely "
    "wide networks, which has no free parameter, and leave the level of the centred and antisymmetric "
    "nets about where σ* was predicted before any training (vertical line: the initialization's share of "
    "the error equals the rest). Points: means over seeds; bands: 95 % t intervals. Networks that"
    " did not converge are left out; n counts the others."
)
MEASURES = {"test_mse": "test mean squared error", "test_error": "test 0-1 error"}
COLUMNS = ["panel", "measure", "series", "x", "estimate", "low", "high", "n"]


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per panel, measure, series and σ; the row `σ*` has the predicted crossing as its x.

    `beside` names a block of the same networks with other init schemes.
    """
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    sources = {"trained": trained, "linearized": predicted.sel(predictor="linearized")}
    usable = converged(trained)
    rows: list[tuple] = []
    for panel, chosen in places(usable, "scale", "seed"):
        for measure, (series, source) in product(MEASURES, sources.items()):
            if measure in source:
                rows += _rows(panel, measure, series, source[measure].where(usable).sel(chosen))
        if beside:
            rows += _beside(tree[f"trained/{beside}"].to_dataset(), panel, chosen)
        if _is_known(tree, block, power_of_scale(trained, chosen)):
            rows += _infinite_width(tree, block, panel, trained, chosen)
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A column of panels per place in the grid, a row per measure."""
    names, measures = list(dict.fromkeys(table.panel)), list(dict.fromkeys(table.measure))
    figure, axes = panels(len(measures), len(names))
    for (row, measure), (column, name) in product(enumerate(measures), enumerate(names)):
        here, ax = table[(table.measure == measure) & (table.panel == name)], axes[row][column]
        ax.set_xscale("log")
        for series, points in here.groupby("series", sort=False):
            if series == "σ*":
                ax.axvline(points.x.iloc[0], label="σ* predicted", **GUIDE)
            else:
                line(ax, points, LOOKS[str(series)], str(series))
        if measure == "test_mse":
            log_y(ax)
        ticks_at(ax, sorted(set(here.x[here.series == "trained"])))
        if row == 0:
            ax.set_title(f"{name}\n{number_of_seeds(here[here.series == 'trained'])}".strip())
        if row == len(measures) - 1:
            ax.set_xlabel("initialization scale σ")
        if column == 0:
            ax.set_ylabel(MEASURES[measure])
    max(axes[0], key=lambda ax: len(ax.get_lines())).legend()
    return figure


def _rows(panel: str, measure: str, series: str, values: xr.DataArray) -> list[tuple]:
    return [(panel, measure, series, *mean) for mean in means(values, "scale")]


def _beside(other: xr.Dataset, panel: str, chosen: dict) -> list[tuple]:
    """The other schemes, where their networks are those of the panel."""
    if not same_networks(other, chosen):
        return []
    usable = converged(other)
    return [
        row
        for scheme in other.scheme.values.tolist()
        for measure in MEASURES
        if measure in other
        for row in _rows(
            panel, measure, scheme, at_place(other[measure].where(usable).sel(scheme=scheme), chosen)
        )
    ]


def _is_known(tree: xr.DataTree, block: str, power: int | None) -> bool:
    """Whether the curve of infinitely wide networks is: by the ridgeless NTK, of homogeneous networks."""
    if power is None or "reference" not in tree or block not in tree["reference"]:
        return False
    return "ntk" in tree[f"reference/{block}"].ds.reference.values


def _infinite_width(
    tree: xr.DataTree, block: str, panel: str, trained: xr.Dataset, chosen: dict
) -> list[tuple]:
    """E[MSE](σ) = MSE_int + σ^{2H} V, averaged over the data of the seeds, and σ* = (MSE_int/V)^{1/2H}."""
    depth = power_of_scale(trained, chosen)
    reference = tree[f"reference/{block}"].to_dataset()
    reference = reference.sel({dim: value for dim, value in chosen.items() if dim in reference.dims})
    interpolant, share = reference.test_mse.sel(reference="ntk"), reference.limit_variance.mean("point")
    scales = np.geomspace(trained.scale.min(), trained.scale.max(), 40)
    rows = [
        (panel, "test_mse", "infinite width", s, *mean_interval(interpolant + s ** (2 * depth) * share))
        for s in scales.tolist()
    ]
    largest = crossing(float(interpolant.mean()), float(share.mean()), depth)
    n = interpolant.size
    return rows + [(panel, m, "σ*", largest, np.nan, np.nan, np.nan, n) for m in MEASURES if m in trained]
