"""What a step of gradient descent on two linear layers leaves of the loss, against one layer's bound."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import COLUMNS, Lines
from minima.findings.stats import mean_interval
from minima.findings.style import Look
from studies.finite_steps.quantities import decay_per_step

CAPTION = (
    "Factor that a step leaves of the loss at the best constant step of the tangent kernel at the start, "
    "against the condition κ = σ²max(X)/σ²min(X): from a gaussian start, and from one whose first layer "
    "is proportional to (XᵀX)^−½. Dotted: 1 − 1/κ, the optimum of a bound on gradient descent for one "
    "layer, which Proposition 3.1 takes for its best; dashed: ((κ − 1)/(κ + 1))², which one layer "
    "reaches. Diamond: at the first step of Algorithm 1. Points: means over seeds; bands: 95 % t "
    "intervals."
)
LOOKS = {
    "gaussian": Look("#0072B2", "o", "-"),
    "whitening": Look("#009E73", "^", "-"),
    "first": Look("#D55E00", "D", ""),
    "1 − 1/κ": Look("#666666", "", ":"),
    "one layer": Look("#666666", "", "--"),
}
NAMES = {
    "gaussian": "gaussian start",
    "whitening": "whitening start",
    "first": "first step of Algorithm 1",
    "1 − 1/κ": "1 − 1/κ",
    "one layer": "((κ − 1)/(κ + 1))²",
}


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per start and κ, then the formulas; `beside` names the block at Algorithm 1's first step."""
    trained, first = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    curves = {init: trained.sel(init=init) for init in trained.init.values.tolist()} | {"first": first}
    rows = [
        (
            "",
            series,
            condition,
            *mean_interval(np.exp(-decay_per_step(found.sel(condition=condition))).values),
        )
        for series, found in curves.items()
        for condition in found.condition.values.tolist()
    ]
    conditions = np.array(trained.condition.values, dtype=np.float64)
    formulas = {"1 − 1/κ": 1 - 1 / conditions, "one layer": ((conditions - 1) / (conditions + 1)) ** 2}
    for series, values in formulas.items():
        rows += [
            ("", series, x, y, np.nan, np.nan, 0) for x, y in zip(conditions, values.tolist(), strict=True)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """One panel."""
    drawn = Lines(
        "condition κ",
        "factor per step",
        series="series",
        look=LOOKS.__getitem__,
        name=NAMES.__getitem__,
        title=lambda _, here: f"n = {int(here.n.max())}",
        width=4.2,
        height=3.2,
    )
    return drawn.draw(table)
