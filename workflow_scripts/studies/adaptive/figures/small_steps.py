"""AdaGrad comes to its flow as the step shrinks, and the flow's integrator to the flow."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.curves import means
from minima.findings.measures import rms
from minima.findings.style import GUIDE, LOOKS, line, log_y, number_of_seeds, panels, ticks_at

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
    return pd.DataFrame(rows, columns=["panel", "series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """A panel per axis."""
    titles = list(dict.fromkeys(table.panel))
    figure, (axes,) = panels(1, len(titles), share=False)
    for ax, title in zip(axes, titles, strict=True):
        here = table[table.panel == title].sort_values("x")
        ax.set_xscale("log")
        log_y(ax)
        line(ax, here, LOOKS["linearized network"], "distance")
        known = here[here.estimate.notna()]
        if len(known):
            first = known.iloc[-1]
            guide = first.estimate * (known.x / first.x) ** PANELS[title]
            ax.plot(known.x, guide, label=f"order {PANELS[title]}", **GUIDE)
        ax.set_title(number_of_seeds(here))
        ax.set_xlabel(title)
        ticks_at(ax, sorted(set(here.x)))
        ax.legend()
    axes[0].set_ylabel("relative distance on test points")
    return figure
