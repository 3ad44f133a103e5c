"""AdaGrad comes to its flow as the step shrinks, and the flow's integrator to the flow."""

import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.curves import means
from minima.findings.lines import COLUMNS, Lines, power
from minima.findings.measures import rms
from minima.findings.style import number_of_seeds

CAPTION = (
    "Left: relative distance on test points of the linearized network trained by AdaGrad from the limit "
    "of its flow, which is computed from the initialization alone, against the step size η; dotted: "
    "proportional to η. Right: distance of that limit from the finest integration, against the growth of "
    "its pieces; dotted: second order. Points: means over seeds; bands: 95 % t intervals; runs "
    "that did not converge are left out, n counts the others."
)
PANELS = {"step size η": 1, "growth − 1 of the pieces": 2}  # x → order of the guide


def tabulate(tree: xr.DataTree, block: str, beside: str = "") -> pd.DataFrame:
    """One row per panel and x; `beside` names a block over the growth of the pieces."""
    test = tree[f"predicted/{block}"].ds.test
    run, flow = (test.sel(predictor=name, drop=True) for name in ("linearized_trained", "adagrad_flow"))
    first, second = PANELS
    rows = [(first, "linearized network", *mean) for mean in means(rms(run - flow) / rms(flow), "lr")]
    if beside:
        flows = tree[f"predicted/{beside}"].ds.test.sel(predictor="adagrad_flow", drop=True)
        finest = flows.isel(growth=0, drop=True)
        errors = (rms(flows - finest) / rms(finest)).isel(growth=slice(1, None))
        errors = errors.assign_coords(growth=errors.growth - 1)
        rows += [(second, "linearized network", *mean) for mean in means(errors, "growth")]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per axis."""

    def guide(ax: Axes, here: pd.DataFrame) -> None:
        order = PANELS[here.panel.iloc[0]]
        power(order, f"order {order}", through="last")(ax, here)

    drawn = Lines(
        str,
        "relative distance on test points",
        panel="panel",
        series="series",
        name=lambda series: "distance",
        guide=guide,
        title=lambda name, here: number_of_seeds(here),
        legend="each",
        share=False,
    )
    return drawn.draw(table)
