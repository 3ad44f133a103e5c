"""Where momentum with two terms trains, and how fast: networks beside their frozen kernels."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.engine.divergence import DIVERGED_LOSS
from minima.findings.style import ink_on, panels
from minima.findings.trajectories import predicted_loss, relative_loss
from studies.momentum.curves import between, each, rate, slowest, where_it_can

CAPTION = (
    "Rate −d log L/dk in units of gradient descent's 2ηλmin, over β1 and β2 of v = β1 v + β2 v' + g: mean "
    "over seeds of the second half of the training, and the same of the frozen kernels. Crosses: "
    "diverged, for all seeds. Beyond β1 + β2 = 1 (line) every network diverges; close to it training is "
    "slow."
)
COLUMNS = ["panel", "x", "y", "estimate", "diverged", "n"]


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per panel, β1 and β2."""
    node = tree[f"trained/{block}"].to_dataset()
    last = float(node.step[-1])
    rows = []
    for panel, curves in (("trained", relative_loss(node)), ("frozen kernel", predicted_loss(node))):
        rates = each(between(curves, (last / 2, last)), where_it_can(rate)) / (2 * slowest(node))
        left = (node.status == "diverged") if panel == "trained" else ~(curves <= DIVERGED_LOSS).all("step")
        for beta1 in node.beta1.values.tolist():
            for beta2 in node.beta2.values.tolist():
                place = {"beta1": beta1, "beta2": beta2}
                values, gone = rates.sel(place).values, left.sel(place).values
                kept = values[~gone & np.isfinite(values)]
                mean = float(kept.mean()) if len(kept) else np.nan
                rows.append((panel, beta1, beta2, mean, float(gone.mean()), len(values)))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A map for each of the two."""
    names = list(dict.fromkeys(table.panel))
    figure, (axes,) = panels(1, len(names), width=3.6, height=3.2)
    numbers = table.assign(y=pd.to_numeric(table.y), diverged=pd.to_numeric(table.diverged))
    top = float(np.nanmax(numbers.estimate.clip(upper=50), initial=1.0))
    shown = None
    for ax, name in zip(axes, names, strict=True):
        here = numbers[numbers.panel == name]
        fine = here[here.estimate.notna()]
        shown = ax.scatter(
            fine.x, fine.y, c=fine.estimate, cmap="viridis", vmin=0, vmax=top, s=190, marker="s", label="_"
        )
        gone = here[here.diverged == 1]
        ax.plot(gone.x, gone.y, "x", color="#D55E00", markersize=8)
        for row in fine.itertuples():
            ink = ink_on(shown.to_rgba(row.estimate))
            ax.text(row.x, row.y, f"{row.estimate:.2g}", ha="center", va="center", fontsize=6, color=ink)
        ax.plot([0, 1], [1, 0], color="#666666", linestyle=":", linewidth=0.9)
        ax.set_title(name)
        ax.set_xlabel("β1")
        ax.set_xlim(-0.1, 1)
        ax.set_ylim(-0.1, 1)
    axes[0].set_ylabel("β2")
    figure.colorbar(shown, ax=axes, label="rate / 2ηλmin")
    return figure
