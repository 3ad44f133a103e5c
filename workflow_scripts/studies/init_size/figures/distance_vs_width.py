"""How far trained networks end from what theory predicts, against their width."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means, places
from minima.findings.measures import converged, rms
from minima.findings.style import GUIDE, LOOKS, line, log_y, number_of_seeds, panels, ticks_at

CAPTION = (
    "Relative distance on test points of the trained network from two predictions of its own kernel at the "
    "start, against the width: the linearized limit f₀ + Θ_xΘ⁻¹(y − f₀), and the interpolant Θ_xΘ⁻¹y that "
    "forgets the initial function. Dotted: width^(−1/2) through the first point. Points: means over seeds; "
    "bands: 95 % t intervals; networks that did not converge are left out, n counts the others."
)
SERIES = ("linearized", "interpolant")


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per place in the grid, prediction and width."""
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    rows = []
    for series in SERIES:
        target = predicted.test.sel(predictor=series)
        distance = (rms(trained.test - target) / rms(target)).where(converged(trained))
        for panel, place in places(distance, "width", "seed"):
            rows += [(panel, series, *mean) for mean in means(distance.sel(place), "width")]
    return pd.DataFrame(rows, columns=["panel", "series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """A panel per place in the grid, but for the width."""
    names = list(dict.fromkeys(table.panel))
    figure, (axes,) = panels(1, len(names))
    for ax, name in zip(axes, names, strict=True):
        here = table[table.panel == name]
        ax.set_xscale("log")
        log_y(ax)
        for series, points in here.groupby("series", sort=False):
            line(
                ax,
                points,
                LOOKS[str(series)],
                f"to the {series}" + (" limit" if series == "linearized" else ""),
            )
        guide = here[here.series == "linearized"].sort_values("x")
        first = guide.iloc[0]
        ax.plot(guide.x, first.estimate * (guide.x / first.x) ** -0.5, label="width^(−1/2)", **GUIDE)
        ax.set_title(", ".join(filter(None, [name, number_of_seeds(here)])))
        ax.set_xlabel("width")
        ticks_at(ax, sorted(set(here.x)))
    axes[0].set_ylabel("relative distance on test points")
    axes[-1].legend()
    return figure
