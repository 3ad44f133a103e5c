"""The loss of two linear layers under different rules of the step."""

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.figure import Figure

from minima.findings.lines import COLUMNS, Lines
from minima.findings.stats import mean_interval
from minima.findings.style import Look
from studies.finite_steps.quantities import PAPER_NEAR, PAPER_NEAR_STEPS, log_loss

CAPTION = (
    "Loss over its start of gradient descent on two linear layers, by the rule of its step: Algorithm 1 "
    "(adaptive), its first step η0 held, the largest step ηmax of the theorems, 1/λmax of the tangent "
    "kernel at the start, and the steps of Arora et al. and of Du et al. at their largest. Crosses: read "
    "off the paper's Figure 2 (adaptive, fixed) at 200 steps. Lines: means of the logarithm over seeds; "
    "bands: 95 % t intervals."
)
LOOKS = {
    "adaptive": Look("#D55E00", "", "-"),
    "first": Look("#0072B2", "", "--"),
    "largest": Look("#009E73", "", "-"),
    "edge": Look("#CC79A7", "", "-."),
    "arora": Look("#000000", "", ":"),
    "du": Look("#E69F00", "", "--"),
}
NAMES = {
    "adaptive": "Algorithm 1",
    "first": "its first step, fixed",
    "largest": "ηmax",
    "edge": "1/λmax",
    "arora": "Arora et al.",
    "du": "Du et al.",
}
MOST = 400  # steps that are drawn


def tabulate(tree: xr.DataTree, block: str, beside: str) -> pd.DataFrame:
    """One row per case, rule and recorded step; `beside` names the block near the targets."""
    rows: list[tuple] = []
    square, near = (tree[f"trained/{name}"].to_dataset() for name in (block, beside))
    condition = square.condition.values[-1]
    for case in square.layer_scales.values.tolist():
        panel = f"κ = {condition:g}, σ = {float(case.split(',')[0]):g}"
        rows += _rows(panel, square.sel(condition=condition, layer_scales=case))
    for off in near.off.values.tolist():
        panel = f"§4.2, noise {off:g}"
        rows += _rows(panel, near.sel(off=off))
        start, *ends = PAPER_NEAR
        rows += [
            (panel, f"published {rule}", PAPER_NEAR_STEPS, end - start, np.nan, np.nan, 1)
            for rule, end in zip(("first", "adaptive"), ends, strict=True)
        ]
    return pd.DataFrame(rows, columns=COLUMNS)


def draw(table: pd.DataFrame) -> Figure:
    """A panel per case."""

    def look(series: str) -> Look:
        published = series.startswith("published ")
        found = LOOKS[series.removeprefix("published ")]
        return found._replace(marker="x", dash="") if published else found

    drawn = Lines(
        "steps",
        "log10 L(t)/L(0)",
        panel="panel",
        series="series",
        look=look,
        name=lambda series: NAMES.get(series, f"{NAMES[series.split()[-1]]}, published"),
        log="",
        title=lambda panel, here: f"{panel}, n = {int(here.n.max())}",
    )
    figure = drawn.draw(table)
    last = figure.axes[-1]  # has all rules, and what is published: in the panel a legend covers that
    last.get_legend().remove()
    figure.legend(*last.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure


def _rows(panel: str, trained: xr.Dataset) -> list[tuple]:
    logs = log_loss(trained) / np.log(10)
    return [
        (panel, rule, step, *mean_interval(logs.sel(optimizer=rule, step=step).values))
        for rule in logs.optimizer.values.tolist()
        for step in logs.step.values.tolist()
        if step <= MOST and logs.sel(optimizer=rule, step=step).notnull().all()
    ]
