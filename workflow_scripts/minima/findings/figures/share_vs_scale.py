"""The initialization's share of the minimizer against σ, by depth."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.measures import converged, fixed, half_difference, rms
from minima.findings.stats import bootstrap_mean
from minima.findings.style import GUIDE, LOOKS, line, log_y, number_of_seeds, panels, ticks_at

CAPTION = (
    "The share of the minimizer that the initialization decides, ‖(f₊ − f₋)/2‖ over pairs of networks "
    "that start at f₀ and −f₀, against the initialization scale σ, by the number H of weight matrices. "
    "Dotted: σ^H through the first point. Centred networks, which train f − f₀, do not have it. Points: "
    "means over seeds; bands: 95 % bootstrap intervals; pairs of which one did not converge are left out,"
    " n counts the others."
)


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per depth, series and σ; `beside` names a block of centred pairs."""
    rows = _rows(tree, block, {"trained": "trained", "linearized": "linearized"})
    rows += _rows(tree, beside, {"trained": "centred"}) if beside else []
    return pd.DataFrame(rows, columns=["depth", "series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """A panel per depth."""
    depths = sorted(set(table.depth))
    figure, (axes,) = panels(1, len(depths))
    for ax, depth in zip(axes, depths, strict=True):
        here = table[table.depth == depth]
        ax.set_xscale("log")
        log_y(ax)
        for series, points in here.groupby("series", sort=False):
            line(ax, points, LOOKS[str(series)], str(series))
        guide = here[here.series == "linearized"].sort_values("x")
        first = guide.iloc[0]
        ax.plot(guide.x, first.estimate * (guide.x / first.x) ** depth, label="σ^H", **GUIDE)
        ax.set_title(f"H = {depth}, {number_of_seeds(here)}")
        ax.set_xlabel("initialization scale σ")
        ticks_at(ax, sorted(set(here.x)))
    axes[0].set_ylabel("‖(f₊ − f₋)/2‖ on test points")
    max(axes, key=lambda ax: len(ax.get_lines())).legend()
    return figure


def _rows(tree: xr.DataTree, block: str, series: dict[str, str]) -> list[tuple]:
    """Rows of one block; `series` maps trained or a predictor to the name of its line."""
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    usable = converged(trained, "flip")
    rows = []
    for source, name in series.items():
        functions = trained.test if source == "trained" else predicted.test.sel(predictor=source)
        share = rms(half_difference(functions)).where(usable)
        if "depth" not in share.dims:
            share = share.expand_dims(depth=[fixed(trained, "network", "depth")])
        rows += [
            (depth, name, scale, *bootstrap_mean(share.sel(depth=depth, scale=scale).values))
            for depth in share.depth.values.tolist()
            for scale in share.scale.values.tolist()
        ]
    return rows
