"""What a small cosine μ between two points of one class costs: time, and a small start."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, Look, line, number_of_seeds, panels, ticks_at
from studies.alignment.quantities import along, entry_of_all, half_scale, time_per_step

CAPTION = (
    "Two points of one class at the cosine μ. Left: t₁, when the slowest neuron that saw one of them sees "
    "both; dotted: a line of slope log(1/μ), and one that goes as 1/√μ, as the paper's bound, through the "
    "first point. Right: the ε at which half of the neurons that saw one of them see both when the loss "
    "is at 5 % of its start; dotted: in proportion to μ^√2. Points: means over seeds (right: of "
    "logarithms); bands: 95 % t intervals."
)
LOOK = Look("#0072B2", "o", "-")
TIME, SIZE = "slowest t₁", "ε that catches half"


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per panel and μ."""
    entries, sizes = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    times = (entry_of_all(entries) * time_per_step(entries)).transpose("cosine", "seed").values
    halves = np.log(half_scale(sizes, 0.05)).transpose("cosine", "seed").values
    rows = [(TIME, μ, *mean_interval(each)) for μ, each in zip(along(entries, "cosine"), times, strict=True)]
    for μ, each in zip(along(sizes, "cosine"), halves, strict=True):
        *numbers, n = mean_interval(each)
        rows.append((SIZE, μ, *np.exp(numbers), n))
    return pd.DataFrame(rows, columns=["panel", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """Times beside sizes."""
    figure, (axes,) = panels(1, 2, share=False)
    for ax, name in zip(axes, (TIME, SIZE), strict=True):
        here = table[table.panel == name].sort_values("x", ascending=False)
        line(ax, here, LOOK, name)
        ax.set_xscale("log")
        ticks_at(ax, sorted(here.x))
        ax.tick_params(axis="x", labelrotation=45)
        ax.invert_xaxis()
        ax.set_xlabel("cosine μ")
        ax.set_title(f"{name}, {number_of_seeds(here)}")
        first = here[here.estimate.notna()].iloc[0] if here.estimate.notna().any() else None
        if first is not None and name == TIME:
            ax.plot(here.x, first.estimate + np.log(first.x / here.x), **GUIDE)
            low, high = ax.get_ylim()
            ax.plot(here.x, first.estimate * np.sqrt(first.x / here.x), **GUIDE)
            ax.set_ylim(low, high)
        elif first is not None:
            ax.set_yscale("log")
            ax.plot(here.x, first.estimate * (here.x / first.x) ** np.sqrt(2), **GUIDE)
    axes[0].set_ylabel("t")
    axes[1].set_ylabel("ε")
    return figure
