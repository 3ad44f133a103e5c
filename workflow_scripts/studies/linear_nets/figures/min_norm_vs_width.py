"""How far wide linear networks end from the min-norm solution, and after how many steps."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.measures import converged
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, Look, line, log_y, number_of_seeds, panels, ticks_at
from studies.linear_nets.quantities import PAPER_WIDTHS, min_norm_distance, start_distance, unseen_directions

CAPTION = (
    "Distance ‖UVᵀ − Θ̂‖ of trained networks from the min-norm solution against the width, with that part "
    "of their start that the points do not see, ‖U2Vᵀ‖, which has the same slope: the fall is that of the "
    "initialization. Dotted: √((D − r)m) h^(½−2α). Right: steps to a loss of 1e-8 at the paper's step "
    "size. Crosses: the values published in 2105.06351 for α = ½. They stop at h = 9500, a twentieth or "
    "less of the width that Theorem 2 asks for at δ = 0.05; its bound is about a thousand times the dotted "
    "line at any width. Points: means over seeds; bands: 95 % t intervals."
)
COLUMNS = ["panel", "series", "x", "estimate", "low", "high", "n"]
LOOKS = {"trained": Look("#0072B2", "o", "-"), "start": Look("#D55E00", "s", "--")}
LABELS = {"trained": "‖UVᵀ − Θ̂‖, trained", "start": "‖U2Vᵀ‖, start"}


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per α, series and width, then the steps."""
    trained = tree[f"trained/{block}"].to_dataset()
    usable = converged(trained)
    rows: list[tuple] = []
    for power in trained.width_power.values.tolist():
        select, panel = {"width_power": power}, f"α = {power:g}"
        curves = {
            "trained": min_norm_distance(tree, block, select).where(usable.sel(select)),
            "start": start_distance(tree, block, select),
        }
        for series, curve in curves.items():
            rows += _rows(panel, series, curve)
        level = np.sqrt(unseen_directions(trained))
        rows += [
            (panel, "guide", h, level * h ** (0.5 - 2 * power), np.nan, np.nan, 0)
            for h in trained.width.values.tolist()
        ]
        if power == 0.5:
            rows += _published(panel, 0)
    for power in trained.width_power.values.tolist()[:1]:
        steps = trained.steps.sel(width_power=power).where(usable.sel(width_power=power))
        rows += _rows(f"steps, α = {power:g}", "trained", steps)
        if power == 0.5:
            rows += _published(f"steps, α = {power:g}", 1)
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per α, then one for the steps."""
    names = list(dict.fromkeys(table.panel))
    figure, (axes,) = panels(1, len(names), share=False)
    for ax, name in zip(axes, names, strict=True):
        here, steps = table[table.panel == name], name.startswith("steps")
        ax.set_xscale("log")
        log_y(ax)
        for series, points in here.groupby("series", sort=False):
            if series == "guide":
                ax.plot(points.x, points.estimate, label="√((D − r)m) h^(½−2α)", **GUIDE)
            elif series == "published":
                ax.plot(points.x, points.estimate, "x", color="#000000", label="published")
            else:
                line(ax, points, LOOKS[str(series)], "steps" if steps else LABELS[str(series)])
        ax.set_title(f"{name}, {number_of_seeds(here[here.series == 'trained'])}")
        ax.set_xlabel("width h")
        ticks_at(ax, sorted(set(here.x[here.series == "trained"])))
        ax.set_xticklabels(f"{value:.4g}" for value in ax.get_xticks())
        ax.tick_params("x", rotation=30)
    axes[0].set_ylabel("distance")
    axes[-1].set_ylabel("steps to a loss of 1e-8")
    axes[0].legend()
    return figure


def _rows(panel: str, series: str, curve: xr.DataArray) -> list[tuple]:
    return [
        (panel, series, width, *mean_interval(curve.sel(width=width).values))
        for width in curve.width.values.tolist()
    ]


def _published(panel: str, column: int) -> list[tuple]:
    return [
        (panel, "published", width, values[column], np.nan, np.nan, 5)
        for width, values in PAPER_WIDTHS.items()
    ]
