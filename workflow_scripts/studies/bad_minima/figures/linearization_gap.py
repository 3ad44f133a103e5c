"""How far networks end from where their linearizations at their own starts foresee them, by start."""

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.measures import rms
from studies.bad_minima.by_start import COLUMNS, drawn, rows_of

CAPTION = (
    "Distance on test points of the trained network from the prediction of its linearization at its own "
    "start, followed under the same loss to the same training loss (left block) or accuracy (right block). "
    "Above: relative to the way that the linearization goes, ‖f − f_lin‖/‖f_lin − f₀‖; below: points to "
    "which both give another class, in hundredths. Every seed is drawn, the bar is the mean; a start at the "
    "goal has no way to go, and a network that did not come to it is left out. Left: by start; right: "
    "adversarial starts of R copies."
)
QUANTITIES = {"distance": "‖f − f_lin‖/‖f_lin − f₀‖", "classes": "points in another class, %"}


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per quantity, block, start or dose, and seed."""
    rows = []
    for name in filter(None, (block, beside)):
        trained = tree[f"trained/{name}"].to_dataset()
        f = trained.test.where(trained.status == "converged")
        foreseen = f * float("nan")  # at published scale nothing is foreseen
        if name in tree.get("predicted", ()):
            foreseen = tree[f"predicted/{name}"].to_dataset().test.sel(predictor="linearized", drop=True)
        way = rms(foreseen - trained.start_test)
        known = f.notnull().all(("point", "output")) & foreseen.notnull().all(("point", "output"))
        other = f.fillna(0).argmax("output") != foreseen.fillna(0).argmax("output")
        values = {
            "distance": (rms(f - foreseen) / way).where(known & (way > 0)),
            "classes": (100 * other.mean("point")).where(known),
        }
        (dim,) = (dim for dim in trained.status.dims if dim != "seed")
        rows += rows_of(name, dim, values)
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per quantity and block."""

    def from_zero(ax: Axes, quantity: str) -> None:
        largest = table[table.quantity == quantity].estimate.max()  # of all blocks, which share the axis
        ax.set_ylim(0, 1.08 * largest if largest > 0 else 1)

    return drawn(table, QUANTITIES, pd.Series.mean, from_zero)
