"""The loss of two linear layers step by step, below the bound of Theorem 3.2."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import COLUMNS
from minima.findings.stats import mean_interval
from minima.findings.style import Look, line, number_of_seeds, panels
from studies.finite_steps.quantities import (
    PAPER_SQUARE,
    PAPER_SQUARE_START,
    PAPER_SQUARE_STEPS,
    log_bound,
    log_loss,
    step_by_step,
)

CAPTION = (
    "Loss over its start against the product of the bounds f(η, t) of Theorem 3.2 on each step before, c "
    "= (0.5, 1.5): at the fixed first step of Algorithm 1 and at its own steps, by the scale σ of the "
    "start W1 = σU0, W2 = V0/σ, for singular values of X evenly from 1 to √κ; last, near the targets "
    "(§4.2, ηmax/20). Crosses: read off the paper's Figure 1 at 500 steps, of another X, which its set-up "
    "as printed cannot give. Lines: means of the logarithm over seeds; bands: 95 % t intervals."
)
LOOKS = {
    "fixed": Look("#0072B2", "", "-"),
    "fixed, bound": Look("#0072B2", "", ":"),
    "adaptive": Look("#D55E00", "", "-"),
    "adaptive, bound": Look("#D55E00", "", ":"),
}
EVERY = 10  # steps that are drawn


def tabulate(tree: xr.DataTree, block: str, *beside: str) -> pd.DataFrame:
    """One row per case, series and drawn step; `beside` names the block of Algorithm 1, and one near the
    targets."""
    nodes = [tree[f"trained/{name}"].to_dataset() for name in (block, *beside)]
    rows: list[tuple] = []
    for condition in nodes[0].condition.values.tolist():
        for case in nodes[0].layer_scales.values.tolist():
            here = {"condition": condition, "layer_scales": case}
            scale = float(case.split(",")[0])
            panel = f"κ = {condition:g}, σ = {scale:g}"
            for series, trained in zip(("fixed", "adaptive"), nodes[:2], strict=False):
                rows += _rows(panel, series, trained.sel(here))
            if scale in PAPER_SQUARE and condition == nodes[0].condition.values[-1]:
                published = (value - PAPER_SQUARE_START for value in PAPER_SQUARE[scale])
                rows += [
                    (panel, f"published {series}", PAPER_SQUARE_STEPS, value, np.nan, np.nan, 1)
                    for series, value in zip(LOOKS, published, strict=True)
                ]
    for trained in nodes[2:]:
        for off in trained.off.values.tolist():
            rows += _rows(f"§4.2, noise {off:g}", "fixed", trained.sel(off=off))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per case."""
    names = list(dict.fromkeys(table.panel))
    columns = -(-len(names) // 2)
    figure, grid = panels(2, columns, share=False)
    axes = [ax for row in grid for ax in row]
    for ax, name in zip(axes, names, strict=False):
        here = table[table.panel == name]
        for series, points in here.groupby("series", sort=False):
            look = LOOKS[str(series).removeprefix("published ")]
            if str(series).startswith("published"):
                marker = "+" if "bound" in str(series) else "x"
                ax.plot(
                    points.x, points.estimate, marker, color=look.colour, label=str(series), clip_on=False
                )
            else:
                line(ax, points, look, str(series))
        ax.set_title(f"{name}, {number_of_seeds(here[here.series == 'fixed'])}")
        ax.set_xlabel("steps")
    for ax in axes[len(names) :]:
        ax.set_visible(False)
    for row in grid:
        row[0].set_ylabel("log10 L(t)/L(0)")
    labelled = {
        label: mark for ax in axes for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)
    }
    figure.legend(labelled.values(), labelled.keys(), loc="outside lower center", ncols=4)
    return figure


def _rows(panel: str, series: str, trained: xr.Dataset) -> list[tuple]:
    trained = step_by_step(trained)
    seen = log_loss(trained)
    curves = {series: seen, f"{series}, bound": log_bound(trained).where(seen.notnull())}
    return [
        (panel, name, step, *mean_interval(curve.sel(step=step).values / np.log(10)))
        for name, curve in curves.items()
        for step in trained.step.values[::EVERY].tolist()
        if curve.sel(step=step).notnull().all()
    ]
