"""What mini-batches do to the minimizer: nothing under SGD, something under AdaGrad."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means, places
from minima.findings.lines import COLUMNS, Lines
from minima.findings.measures import rms

CAPTION = (
    "Relative distance on test points between the minimizer reached with mini-batches and the one reached "
    "with all points by the same optimizer, against the batch size: networks, and their linearizations "
    "trained in the same way. Dashed: distance of the linearized network under mini-batch AdaGrad from the "
    "averaged flow, computed from the initialization alone. Points: means over seeds; bands: 95 % t "
    "intervals; runs that did not converge are left out, n counts the others."
)
PANELS = {"trained": "networks", "linearized_trained": "linearized networks"}


def tabulate(tree: xr.DataTree, block: str) -> pd.DataFrame:
    """One row per panel, series and batch size; the largest batch is the one compared with. Linearizations
    are drawn where the block predicts them."""
    trained = tree[f"trained/{block}"].to_dataset()
    functions = {"trained": trained.test.where(trained.status == "converged")}
    if f"/predicted/{block}" in tree.groups:
        predicted = tree[f"predicted/{block}"].test
        functions |= {name: predicted.sel(predictor=name, drop=True) for name in predicted.predictor.values}
    full = trained.batch_size.values.max()
    rows: list[tuple] = []
    for source in [source for source in PANELS if source in functions]:
        f = functions[source]
        whole = f.sel(batch_size=full, drop=True)
        curves = (rms(f - whole) / rms(whole)).drop_sel(batch_size=full)
        for panel, place in places(curves, "batch_size", "optimizer", "seed"):
            title = ", ".join(filter(None, [PANELS[source], panel]))
            for name in curves.optimizer.values.tolist():
                here = means(curves.sel(place).sel(optimizer=name), "batch_size")
                rows += [(title, name, *mean) for mean in here]
            if source == "linearized_trained" and "adaptive_flow" in functions:
                flow = functions["adaptive_flow"]
                gap = (rms(f - flow) / rms(flow)).sel(place).sel(optimizer="adagrad")
                rows += [(title, "adagrad to the averaged flow", *mean) for mean in means(gap, "batch_size")]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel for the networks and one for the linearized ones, per place in the grid."""
    drawn = Lines(
        "batch size",
        "relative distance on test points",
        panel="panel",
        series="series",
        name=lambda series: series if " to " in series else f"{series} to its full batch",
        legend="fullest",
    )
    return drawn.draw(table)
