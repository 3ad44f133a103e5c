"""Training curves of both phases on one axis: random labels first, then the true ones."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.measures import fixed
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, LOOKS, line, log_y, panels

CAPTION = (
    "Training loss and test accuracy against epochs from the first training on true labels (dotted "
    "line); before it, with negative epochs, the adversarial start is trained on random labels. "
    "Networks of the random start have no first phase. Curves: means over the seeds still in training; "
    "bands: 95 % t intervals."
)
QUANTITIES = {"loss": "training loss", "test_accuracy_path": "test accuracy"}


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per quantity, start and recorded step; `block` is the pretraining, `beside` the training."""
    first = tree[f"trained/{block}"].to_dataset()
    second = tree[f"trained/{beside}"].to_dataset()
    if "copies" in first.dims:
        first = first.isel(copies=-1)
    batch = fixed(second, "optimizer", "batch_size")
    epoch = fixed(second, "data", "train_size") / batch
    copies = first.copies.item() if "copies" in first.coords else fixed(first, "data", "confusion")["copies"]
    rows = copies * fixed(first, "data", "train_size")
    first_epoch = rows / fixed(first, "optimizer", "batch_size")
    length = float(first.steps.mean()) / first_epoch
    phases = {
        ("adversarial", 1): (first, first.step.values / first_epoch - length),
        ("adversarial", 2): (second.sel(init="adversarial"), second.step.values / epoch),
        ("random", 2): (second.sel(init="random"), second.step.values / epoch),
    }
    rows = []
    for (start, phase), (curves, epochs) in phases.items():
        for quantity in QUANTITIES:
            for column, x in enumerate(epochs.tolist()):
                here = curves[quantity].isel(step=column).values
                if np.isfinite(here).sum() >= max(2, here.size // 2):
                    rows.append((quantity, start, phase, x, *mean_interval(here)))
    return pd.DataFrame(rows, columns=["quantity", "start", "phase", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """Loss beside accuracy."""
    figure, (axes,) = panels(1, len(QUANTITIES), width=3.6, share=False)
    for ax, (quantity, words) in zip(axes, QUANTITIES.items(), strict=True):
        here = table[table.quantity == quantity]
        for (start, phase), curve in here.groupby(["start", "phase"]):
            look = LOOKS[str(start)]
            named = str(start) if phase == 2 else "random labels"
            line(ax, curve, look._replace(marker="", dash=look.dash if phase == 2 else ":"), named)
        ax.axvline(0, **GUIDE)
        ax.set_xlabel("epochs")
        ax.set_ylabel(words)
    log_y(axes[0])
    axes[-1].legend()
    return figure
