"""How far training is from what theory predicts, against width or step size, by optimizer."""

import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.measures import fixed
from minima.findings.stats import mean_interval
from minima.findings.style import GUIDE, line, log_y, looks_of, panels, ticks_at
from studies.momentum.curves import sup_error

CAPTION = (
    "Largest |L − L_predicted|/L(0) over the training, by optimizer. Against width: predicted by the "
    "recursion with the network's own kernel at the start, frozen; what remains is the width's (dotted: "
    "width^(−1/2)). Against the step size, as ηλmax: predicted by the ODE; what remains is the step's, as "
    "√η (dotted), down to the width's. Points: means over seeds; bands: 95 % t intervals."
)
AXES = {  # by the ODE?, power of the guide and its name, label
    "width": (False, -0.5, "width^(−1/2)", "width"),
    "relative": (True, 0.5, "∝ √η", "step size as ηλmax"),
}
WORDS = {
    "gd": "gradient descent",
    "heavy_ball": "heavy ball",
    "nesterov_convex": "Nesterov, (k − 1)/(k + r − 1)",
}


def tabulate(tree: xr.DataTree, block: str, *beside: str) -> pd.DataFrame:
    """One row per optimizer and place on the axis; each block is one optimizer's."""
    rows = []
    for name in (block, *beside):
        node = tree[f"trained/{name}"].to_dataset()
        axis = next(axis for axis in AXES if axis in node.dims)
        errors = sup_error(node, ode=AXES[axis][0])
        optimizer = fixed(node, "optimizer", "name")
        for value in node[axis].values.tolist():
            x = 2 * value if axis == "relative" else value  # the stability edge is at ηλmax = 2
            rows.append((axis, optimizer, x, *mean_interval(errors.sel({axis: value}).values)))
    return pd.DataFrame(rows, columns=["axis", "series", "x", "estimate", "low", "high", "n"])


def draw(table: pd.DataFrame) -> Figure:
    """A panel per axis."""
    found = list(dict.fromkeys(table.axis))
    figure, (axes,) = panels(1, len(found), width=3.8, height=3.2, share=False)
    for ax, axis in zip(axes, found, strict=True):
        here = table[table.axis == axis]
        names = list(dict.fromkeys(here.series))
        for look, name in zip(looks_of(len(names)), names, strict=True):
            line(ax, here[here.series == name], look, WORDS.get(name, name))
        first = here[here.series == names[0]].sort_values("x").iloc[0]
        x = sorted(set(here.x))
        power, guide, label = AXES[axis][1:]
        ax.set_xscale("log")
        log_y(ax)
        ax.plot(x, [first.estimate * (value / x[0]) ** power for value in x], label=guide, **GUIDE)
        ticks_at(ax, x)
        ax.set_xlabel(label)
        ax.set_ylabel("largest |L − L_predicted| / L(0)")
        ax.legend()
    return figure
