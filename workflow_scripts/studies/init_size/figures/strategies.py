"""The strategies against a large initialization, side by side: test error and what each costs."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from minima.findings.curves import SYMBOLS
from minima.findings.measures import converged, fixed
from minima.findings.stats import mean_interval
from minima.findings.style import LOOKS, log_y, number_of_seeds, ticks_at
from minima.findings.words import label

CAPTION = (
    "Test error at the largest initialization scale σ of the block, and what limits it: a smaller σ, the "
    "mean of K networks that start differently on the same data, centred and antisymmetric networks, and "
    "weight decay toward the start and toward 0. Trained networks, and the limits of their "
    "linearizations, for decay as its strength vanishes: toward the start it changes nothing, toward 0 it "
    "turns the initialization's share round and multiplies it, while a trained network leaves its "
    "linearization on the way. Below the names: the cost, steps × networks × copies, over that of one "
    "network at the large σ by the same optimizer. Right: the trained ones against that cost; at equal "
    "cost the lower one is the better. Points: means over the draws of the data; bars: 95 % t "
    "intervals; networks that did not converge are left out with their group, n counts the others; decay "
    "ends with its steps."
)
COLUMNS = ["panel", "strategy", "series", "cost", "x", "estimate", "low", "high", "n"]
COPIES = {"antisymmetric": 2}


def tabulate(tree: xr.DataTree, block: str, *beside: str) -> pd.DataFrame:
    """One row per strategy and series, x its place in the figure.

    The block's seeds share their data in groups (`split: {seeds_each: K}`); its axis is the scale. Beside it,
    on the same kind of networks: a block of init schemes; one of an optimizer without and with weight decay.
    """
    rows = [*_of_groups(tree, block)]
    for name in beside:
        if "scheme" in tree[f"trained/{name}"].dims:
            rows += _of_schemes(tree, block, name)
        else:
            rows += _of_decays(tree, name)
    names = list(dict.fromkeys(strategy for strategy, *_ in rows))
    scale = float(tree[f"trained/{block}"].ds.scale.max())
    panel = SYMBOLS["scale"] + label(scale)
    table = [
        (panel, strategy, series, cost, names.index(strategy), *mean_interval(errors.values))
        for strategy, series, cost, errors in rows
    ]
    return pd.DataFrame(table, columns=COLUMNS)


def _of_groups(tree: xr.DataTree, block: str) -> Iterator[tuple[str, str, float, xr.DataArray]]:
    """Strategy, series, cost and errors per draw of the data."""
    trained, predicted = tree[f"trained/{block}"].to_dataset(), tree[f"predicted/{block}"].to_dataset()
    each = fixed(trained, "data", "split")["seeds_each"]
    usable = converged(trained)
    low, high = float(trained.scale.min()), float(trained.scale.max())

    def groups(values: xr.DataArray, scale: float) -> xr.DataArray:
        return values.where(usable).sel(scale=scale).coarsen(seed=each).construct(seed=("group", "member"))

    def error(functions: xr.DataArray) -> xr.DataArray:
        targets = trained.target_test.coarsen(seed=each).construct(seed=("group", "member"))
        difference = functions - targets.isel(member=0)
        return (difference**2).mean(("point", "output"), skipna=False)

    def cost(scale: float) -> float:
        return float(trained.steps.where(usable).sel(scale=scale).mean() / _steps(trained, high))

    def limit(name: str) -> xr.DataArray:
        return predicted.test.sel(predictor=name)

    for series, f in (("trained", trained.test), ("linearized", limit("linearized"))):
        wide = groups(f, high)
        yield "one network", series, 1.0, error(wide).mean("member", skipna=False)
        yield f"σ = {low:g}", series, cost(low), error(groups(f, low)).mean("member", skipna=False)
        for size in [size for size in range(2, each + 1) if each % size == 0]:
            means = (
                wide.coarsen(member=size).construct(member=("part", "member")).mean("member", skipna=False)
            )
            yield f"mean of {size}", series, float(size), error(means).mean("part", skipna=False)
    for strategy, name in (("decay to start", "linearized"), ("decay to 0", "decayed")):
        if name in predicted.predictor.values:
            errors = error(groups(limit(name), high)).mean("member", skipna=False)
            yield strategy, "linearized", np.nan, errors


def _of_schemes(tree: xr.DataTree, block: str, beside: str) -> Iterator[tuple[str, str, float, xr.DataArray]]:
    high = float(tree[f"trained/{block}"].ds.scale.max())
    trained, predicted = tree[f"trained/{beside}"].to_dataset(), tree[f"predicted/{beside}"].to_dataset()
    usable = converged(trained)
    for scheme in trained.scheme.values.tolist():
        place = {"scheme": scheme, "scale": high}
        steps = float(trained.steps.where(usable).sel(place).mean())
        cost = COPIES.get(scheme, 1) * steps / _steps(tree[f"trained/{block}"].to_dataset(), high)
        for series, errors in (
            ("trained", trained.test_mse),
            ("linearized", predicted.test_mse.sel(predictor="linearized")),
        ):
            yield scheme, series, cost, errors.where(usable).sel(place)


def _of_decays(tree: xr.DataTree, name: str) -> Iterator[tuple[str, str, float, xr.DataArray]]:
    """The optimizers labelled `none` and, with a decay, as the strategy is called."""
    trained = tree[f"trained/{name}"].to_dataset()
    none = trained.sel(optimizer="none")
    for strategy in trained.optimizer.values.tolist():
        if strategy != "none":
            ends = trained.sel(optimizer=strategy)
            cost = float(ends.steps.mean() / none.steps.where(converged(none)).mean())
            yield strategy, "trained", cost, ends.test_mse.where(ends.status != "diverged")


def _steps(trained: xr.Dataset, scale: float) -> float:
    return float(trained.steps.where(converged(trained)).sel(scale=scale).mean())


def draw(table: pd.DataFrame) -> Figure:
    """A place per strategy; beside it the trained ones by their cost."""
    names = table.groupby("strategy", as_index=False)[["x", "cost"]].max().sort_values("x")
    width = 0.85 * len(names) + 1
    figure = Figure(figsize=(width + 4, 3), layout="constrained")
    ax, beside = figure.subplots(1, 2, sharey=True, width_ratios=(width, 4))
    for series, shift in (("trained", -0.12), ("linearized", 0.12)):
        points = table[table.series == series]
        _draw_points(ax, points, points.x + shift, series)
    log_y(ax)
    costs = [f"\n×{row.cost:.2g}" if np.isfinite(row.cost) else "" for row in names.itertuples()]
    short = [name if name.startswith("σ") else name.replace(" ", "\n", 1) for name in names.strategy]
    labels = [name + cost for name, cost in zip(short, costs, strict=True)]
    ax.set_xticks(names.x, labels, fontsize=8)
    ax.set_xlim(-0.5, len(names) - 0.5)
    ax.set_ylabel("test mean squared error")
    ax.set_title(f"{table.panel.iloc[0]}, {number_of_seeds(table)}")
    ax.legend()
    priced = table[(table.series == "trained") & table.cost.notna()].sort_values("cost")
    _draw_points(beside, priced, priced.cost, "trained")
    for row in priced.itertuples():
        point = (row.cost, row.estimate)
        beside.annotate(row.strategy, point, (3, 3), textcoords="offset points", fontsize=7)
    beside.set_xscale("log")
    beside.set_xlim(0.8 * priced.cost.min(), 2.2 * priced.cost.max())  # room for the last name
    ticks_at(beside, [cost for cost in (0.5, 1, 2, 4, 8, 16) if cost <= 1.5 * priced.cost.max()])
    beside.set_xlabel("cost")
    return figure


def _draw_points(ax: Axes, points: pd.DataFrame, x: pd.Series, series: str) -> None:
    colour, marker, _ = LOOKS[series]
    ax.errorbar(
        x,
        points.estimate,
        yerr=np.abs(points[["low", "high"]].T.values - points.estimate.values),
        color=colour,
        marker=marker,
        markersize=4,
        linestyle="",
        capsize=2,
        label=series,
    )
