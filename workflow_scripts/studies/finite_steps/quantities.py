"""Quantities of gradient descent at finite steps that estimands and figures compute (Xu, Min, Tarmoun,
Mallada and Vidal, AISTATS 2023).

The paper's loss L = ½‖Y − XW‖² is N times the training loss, and its step η is the learning rate over N.
"""

import numpy as np
import xarray as xr

from minima.findings.measures import fixed, shared
from minima.findings.stats import NotEstimable
from minima.theory.descent_bound import Constants, decay

ROUNDING = 1e-20  # losses below this part of the first are rounding
PAPER_SQUARE = {  # σ → log10 L at 500 steps: fixed, its bound, adaptive, its bound (Figure 1)
    0.1: (-3.55, -1.5, -9.2, -6.15),
    2.0: (-5.0, -3.15, -9.6, -7.1),
    10.0: (-8.05, -6.2, -9.6, -7.55),
}
PAPER_RATIOS = {0.1: 0.345, 2.0: 0.388, 10.0: 0.457}  # σ → α0/β0
PAPER_SQUARE_START, PAPER_SQUARE_STEPS = 4.7, 500
PAPER_NEAR = (-1.85, -9.9, -12.6)  # log10 L at the start; at 200 steps: fixed, adaptive (Figure 2)
PAPER_NEAR_STEPS = 200


def points(trained: xr.Dataset) -> int:
    """`points` returns N."""
    return fixed(trained, "data", "train_size")


def loss(trained: xr.Dataset) -> xr.DataArray:
    """`loss` returns the paper's loss at the recorded steps, NaN where it is rounding or was not reached."""
    found = points(trained) * trained.loss
    return found.where(found > ROUNDING * found.isel(step=0))


def step_by_step(trained: xr.Dataset) -> xr.Dataset:
    """`step_by_step` returns the recorded steps from 0 to the first that is missing."""
    steps = trained.step.values
    known = int((steps == np.arange(len(steps))).sum())
    if known < 2:
        raise NotEstimable("the bound is a product over steps, each of which has to be recorded")
    return trained.isel(step=slice(known))


def choices(trained: xr.Dataset) -> tuple[float, float]:
    """`choices` returns c1 and c2 of a block, those of its rate or of its optimizer."""
    optimizer = shared(trained)["optimizer"]
    chosen = optimizer if "c1" in optimizer else optimizer["lr"]
    return chosen["c1"], chosen["c2"]


def constants(trained: xr.Dataset) -> Constants:
    """`constants` returns Table 2 of the networks, at their start."""
    start = trained.isel(step=0, drop=True)
    p1, p2, alpha, covered, beta, mu, largest = (
        start.descent_constants_path.isel(constant=place, drop=True) for place in range(7)
    )
    norm = xr.full_like(p1, np.nan)  # of the targets: no bound on the decay asks for it
    return Constants(p1, p2, alpha, covered, beta, mu, largest, points(trained) * start.loss, norm)


def least_guaranteed(trained: xr.Dataset, covered: bool = False) -> xr.DataArray:
    """`least_guaranteed` returns c1α0, with α0 as printed or as far as its proof goes."""
    start = constants(trained)
    return choices(trained)[0] * (start.covered if covered else start.alpha)


def rate(trained: xr.Dataset) -> xr.DataArray:
    """`rate` returns η, of Algorithm 1 at each recorded step: the least of ηmax and η′_t."""
    rate = trained.learning_rate / points(trained)
    if shared(trained)["optimizer"]["name"] != "descent_bound":
        return rate
    best = decay(constants(trained), *choices(trained)).best_rate(loss(trained))
    return np.minimum(best, rate)


def log_factor(trained: xr.Dataset, factor: float = 1.0, covered: bool = False) -> xr.DataArray:
    """`log_factor` returns log f(η, t) of (26) at the recorded steps, with `factor` · c1α0 for c1α0."""
    start, (_, c2) = constants(trained), choices(trained)
    bound = decay(start._replace(alpha=factor * least_guaranteed(trained, covered)), 1.0, c2)
    return np.log(bound.factor(rate(trained), loss(trained)))


def log_bound(trained: xr.Dataset, factor: float = 1.0, covered: bool = False) -> xr.DataArray:
    """`log_bound` returns the log of Theorem 3.2's bound on L(t)/L(0), the product of the f of all steps
    before."""
    logs = log_factor(trained, factor, covered)
    return logs.cumsum("step").shift(step=1, fill_value=0.0).assign_coords(step=trained.step)


def log_loss(trained: xr.Dataset) -> xr.DataArray:
    """`log_loss` returns log L(t)/L(0)."""
    found = loss(trained)
    return np.log(found / found.isel(step=0, drop=True))


def final(path: xr.DataArray) -> xr.DataArray:
    """`final` returns the last value of each network that is known."""
    return path.isel(step=path.notnull().cumsum("step").argmax("step")).drop_vars("step")


def decay_per_step(trained: xr.Dataset, most: int | None = None) -> xr.DataArray:
    """`decay_per_step` returns the mean fall of log L per step, to the last recorded step that is at most
    `most` and at which L is more than rounding."""
    logs = log_loss(trained if most is None else trained.sel(step=slice(most)))
    return -final(logs) / final(logs.step.where(logs.notnull()))


def drift(trained: xr.Dataset) -> xr.DataArray:
    """`drift` returns ‖D(t) − D(0)‖_F."""
    return trained.imbalance_path * trained.imbalance_norm_path.isel(step=0, drop=True)


def drift_over_first_order(trained: xr.Dataset, start: xr.Dataset) -> xr.DataArray:
    """`drift_over_first_order` returns ‖D(∞) − D(0)‖/(η‖J‖), with J along the flow from the networks' start,
    that of the block `start`."""
    first = start.drift_constant_path.isel(step=0, drop=True)
    return final(drift(trained)) / (trained.learning_rate / points(trained) * first)


def drift_bound(trained: xr.Dataset) -> xr.DataArray:
    """`drift_bound` returns the most drift by (A3), 2c2β0KL(0)η²/(1 − f(η, 0))."""
    start, step = constants(trained), rate(trained)
    first = log_factor(trained).isel(step=0, drop=True)
    return 2 * choices(trained)[1] * start.beta * start.largest * start.loss * step**2 / -np.expm1(first)
