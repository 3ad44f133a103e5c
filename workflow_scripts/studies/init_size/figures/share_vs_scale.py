"""The initialization's share of the minimizer against σ, by depth."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import at_place, means, places, same_networks
from minima.findings.lines import Lines, power
from minima.findings.measures import converged, fixed, half_difference, rms

CAPTION = (
    "The share of the minimizer that the initialization decides, ‖(f₊ − f₋)/2‖ over pairs of networks "
    "that start at f₀ and −f₀, against the initialization scale σ, by the number H of weight matrices. "
    "Dotted: σ^H through the first point. Centred networks, which train f − f₀, do not have it. Points: "
    "means over seeds; bands: 95 % t intervals; pairs of which one did not converge are left out,"
    " n counts the others."
)


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per place in the grid, series and σ; `beside` names a block of centred pairs."""
    shares = {source: _share(tree, block, source) for source in ("trained", "linearized")}
    rows = []
    for panel, place in places(shares["trained"], "scale", "seed"):
        here = {name: share.sel(place) for name, share in shares.items()}
        if beside and same_networks(tree[f"trained/{beside}"].to_dataset(), place):
            here["centred"] = at_place(_share(tree, beside, "trained"), place)
        for series, share in here.items():
            rows += [(panel, place["depth"], series, *mean) for mean in means(share, "scale")]
    return pd.DataFrame(rows, columns=["panel", "depth", "series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """A panel per place in the grid, but for σ."""
    drawn = Lines(
        "initialization scale σ",
        "‖(f₊ − f₋)/2‖ on test points",
        panel="panel",
        series="series",
        guide=power("depth", "σ^H", of="linearized"),
        legend="fullest",
    )
    return drawn.draw(table)


def _share(tree: xr.DataTree, block: str, source: str) -> xr.DataArray:
    """rms of (f₊ − f₋)/2 where both converged, of `trained` or a predictor; the depth is always an axis."""
    trained = tree[f"trained/{block}"].to_dataset()
    predicted = tree[f"predicted/{block}"].to_dataset()
    functions = trained.test if source == "trained" else predicted.test.sel(predictor=source)
    share = rms(half_difference(functions)).where(converged(trained, "flip"))
    if "depth" in share.dims:
        return share
    return share.expand_dims(depth=[fixed(trained, "network", "depth")])
