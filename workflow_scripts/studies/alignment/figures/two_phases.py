"""How neurons turn to the sums of their class, and how the loss waits for them."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, Look, line, number_of_seeds, panels
from studies.alignment.quantities import (
    COSINES,
    LIVE,
    alignment_end,
    clock,
    entry,
    entry_of_all,
    relative_loss,
)

CAPTION = (
    "Median cosine of live neurons to the sum x± of the inputs of their class, the share of live neurons "
    "in the cone of their class (they see all of its points and no other), and the loss over that at the "
    "start, against t‖x₊‖, until twice t₂. Dotted: t₁, when all neurons that saw a point of their class "
    "are in its cone, where they come to be, and t₂, when max |f| on the training points is ¼. Lines: "
    "means over seeds; bands: 95 % t intervals."
)
COLUMNS = ["panel", "series", "x", "estimate", "low", "high", "n"]
LOOKS = {
    "median cosine to x±": Look("#0072B2", "", "-"),
    "share in the cone": Look("#009E73", "", "-."),
    "loss over the first": Look("#D55E00", "", "--"),
}
CLOCKS = ("t₁", "t₂")


def tabulate(tree: xr.DataTree, block: str, *beside: str) -> pd.DataFrame:
    """One row per panel (a place on the block's axis), series and recorded step, and one per clock."""
    trained = tree[f"trained/{block}"].to_dataset()
    (axis,) = (dim for dim in trained.status.dims if dim != "seed")
    rows: list[tuple] = []
    for label in trained[axis].values.tolist():
        rows += _rows(f"μ = {label:g}" if axis == "cosine" else _words(label), trained.sel({axis: label}))
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per place."""
    names = list(dict.fromkeys(table.panel))
    figure, (axes,) = panels(1, len(names), width=2.5)
    for ax, name in zip(axes, names, strict=True):
        here = table[table.panel == name]
        for series, look in LOOKS.items():
            line(ax, here[here.series == series], look, series)
        for _, row in here[here.series.isin(CLOCKS)].iterrows():
            ax.axvline(row.x, **GUIDE)
            ax.text(row.x, 1.03, row.series, ha="center", color=GUIDE["color"], size="small")
        ax.set_title(f"{name}, {number_of_seeds(here[here.series == 'loss over the first'])}", pad=14)
        ax.set_xlabel("t‖x₊‖")
        ax.set_ylim(-0.05, 1.05)
    figure.legend(*axes[0].get_legend_handles_labels(), loc="outside lower center", ncols=len(LOOKS))
    return figure


def _words(label: str) -> str:
    return "digits " + str(label).replace("_", " and ")


def _rows(panel: str, trained: xr.Dataset) -> list[tuple]:
    times, ends = clock(trained), {"t₁": entry_of_all(trained), "t₂": alignment_end(trained)}
    per_step = times.isel(step=-1, drop=True) / int(trained.step[-1])
    last = 2 * float((ends["t₂"] * per_step).mean())
    curves = {
        "median cosine to x±": entry(trained, "neuron_cosines", COSINES["median"]),
        "share in the cone": entry(trained, "own_cone", LIVE),
        "loss over the first": relative_loss(trained),
    }
    rows = []
    for series, curve in curves.items():
        values = curve.transpose("step", "seed").values  # of all steps at once: read from the file one time
        for x, here in zip(times.mean("seed").values.tolist(), values, strict=True):
            if x <= last and np.isfinite(here).all():
                rows.append((panel, series, x, *mean_interval(here)))
    known = {name: (end * per_step).mean("seed", skipna=False) for name, end in ends.items()}
    return rows + [
        (panel, name, float(x), np.nan, np.nan, np.nan, 0) for name, x in known.items() if x.notnull()
    ]
