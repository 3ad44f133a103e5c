"""Estimands of the study `finite_steps` (Xu, Min, Tarmoun, Mallada and Vidal, AISTATS 2023): gradient descent
at finite steps on two linear layers.

Each estimand takes a study's dataset and returns a number per seed. Losses are the paper's; those below 1e-20
of the first are rounding, and no estimand looks at them.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

from minima.findings.measures import converged
from minima.findings.samples import Selection, at, most_per_seed, node_of, per_seed, slopes
from minima.findings.stats import NotEstimable, Sample
from studies.finite_steps.quantities import (
    choices,
    constants,
    decay_per_step,
    drift,
    drift_bound,
    drift_over_first_order,
    final,
    least_guaranteed,
    log_bound,
    log_factor,
    log_loss,
    step_by_step,
)

RESOLVED = 1e-6  # while the loss is above this part of the first, ‖D‖ changes by more than rounding


def first_order(tree: xr.DataTree, block: str, start: str, select: Selection = None) -> Sample:
    """`first_order` returns the drift of D over η‖J‖, its size to first order in η."""
    trained = node_of(tree, "trained", block, select)
    found = drift_over_first_order(trained, node_of(tree, "trained", start, None))
    return per_seed(found, converged(trained))


def excess_slope(tree: xr.DataTree, block: str, start: str, rates: Sequence[float]) -> Sample:
    """`excess_slope` returns the log-log slope in the learning rate of what the drift of D over η‖J‖ has
    above 1, for whole curves of a seed."""
    trained = node_of(tree, "trained", block, {"lr": list(rates)})
    found = drift_over_first_order(trained, node_of(tree, "trained", start, None)) - 1
    return slopes(found, converged(trained, "lr"), "lr")


def norm_ratio(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`norm_ratio` returns ‖D‖ at the end over ‖D‖ at the start, the largest of a seed's networks."""
    trained = node_of(tree, "trained", block, select)
    found = trained.imbalance_norm_path
    return most_per_seed(final(found) / found.isel(step=0, drop=True))


def lowering_steps(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`lowering_steps` returns the share of steps that lower ‖D‖, of those of a seed's networks that begin
    where the loss is above 1e-6 of the first."""
    trained = step_by_step(node_of(tree, "trained", block, select))
    norm = trained.imbalance_norm_path
    change = norm.diff("step", label="lower")
    counts = change.notnull() & (trained.loss > RESOLVED * trained.loss.isel(step=0))
    dims = _others(change)
    return per_seed((counts & (change < 0)).sum(dims) / counts.sum(dims))


def step_over_bound(tree: xr.DataTree, block: str, covered: bool = False, select: Selection = None) -> Sample:
    """`step_over_bound` returns L(t+1)/(f(η, t)L(t)), the largest of a seed's steps and networks: above 1
    where Theorem 3.2 is broken. `covered`: with α0 as far as its proof goes."""
    trained = step_by_step(node_of(tree, "trained", block, select))
    logs = log_loss(trained).diff("step", label="lower") - log_factor(trained, covered=covered)
    return most_per_seed(np.exp(logs))


def loss_over_bound(
    tree: xr.DataTree, block: str, factor: float = 1.0, covered: bool = False, select: Selection = None
) -> Sample:
    """`loss_over_bound` returns L(t) over the product of all f before times L(0), t > 0, the largest of a
    seed's steps and networks, with `factor` · c1α0 for c1α0."""
    trained = step_by_step(node_of(tree, "trained", block, select))
    logs = log_loss(trained) - log_bound(trained, factor, covered)
    return most_per_seed(np.exp(logs.isel(step=slice(1, None))))


def least_eigenvalue(
    tree: xr.DataTree, block: str, covered: bool = False, select: Selection = None
) -> Sample:
    """`least_eigenvalue` returns λmin(τ) over c1α0, the least of a seed's steps and networks."""
    trained = node_of(tree, "trained", block, select)
    return _least(trained.operator_extremes_path[{"extreme": 0}] / least_guaranteed(trained, covered))


def largest_eigenvalue(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`largest_eigenvalue` returns λmax(τ) over c2β0, the largest of a seed's steps and networks."""
    trained = node_of(tree, "trained", block, select)
    most = choices(trained)[1] * constants(trained).beta
    return most_per_seed(trained.operator_extremes_path[{"extreme": 1}] / most)


def product_norm(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`product_norm` returns σmax(W) over p2, the largest of a seed's steps and networks."""
    trained = node_of(tree, "trained", block, select)
    return most_per_seed(trained.product_extremes_path[{"extreme": 1}] / constants(trained).most_product)


def drift_over_bound(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`drift_over_bound` returns the drift of D over its bound (A3), the largest of a seed's steps and
    networks."""
    trained = node_of(tree, "trained", block, select)
    return most_per_seed(drift(trained) / drift_bound(trained))


def steps_ratio(tree: xr.DataTree, block: str, rule: str, than: str, select: Selection = None) -> Sample:
    """`steps_ratio` returns the steps to the end with the step rule `than` over those with `rule`, the
    geometric mean over a seed's networks."""
    trained = node_of(tree, "trained", block, select)
    one, other = (at(trained, block, "optimizer", name) for name in (rule, than))
    logs = np.log(other.steps / one.steps)
    both, dims = converged(one) & converged(other), _others(logs)
    return per_seed(np.exp(logs.mean(dims)), both.all(dims))


def faster(
    tree: xr.DataTree, block: str, rule: str, than: Sequence[str], steps: int, select: Selection = None
) -> Sample:
    """`faster` returns the decay of log L per step with the step rule `rule` over that with each of `than`,
    in so many steps: the least of a seed's networks and rules."""
    decays = decay_per_step(node_of(tree, "trained", block, select), steps)
    if missing := {rule, *than} - set(decays.optimizer.values.tolist()):
        raise NotEstimable(f"not in the dataset: optimizer {', '.join(sorted(missing))} of block {block}")
    one, others = decays.sel(optimizer=rule, drop=True), decays.sel(optimizer=list(than))
    return _least(one / others)


def decay_over_bound(
    tree: xr.DataTree, block: str, steps: int, late: bool = False, select: Selection = None
) -> Sample:
    """`decay_over_bound` returns the fall of log L over that of its bound in so many steps, or in the second
    half of them (`late`): the mean over a seed's networks."""
    trained = step_by_step(node_of(tree, "trained", block, select)).sel(step=slice(steps))
    if trained.step[-1] < steps:
        raise NotEstimable(f"{block} has not recorded each of {steps} steps")
    seen = log_loss(trained)
    bound = log_bound(trained).where(seen.notnull())
    if late:
        kept = seen.step >= final(seen.step.where(seen.notnull())) / 2
        first = [path.isel(step=kept.argmax("step"), drop=True) for path in (seen, bound)]
    else:
        first = [path.isel(step=0, drop=True) for path in (seen, bound)]
    found = (final(seen) - first[0]) / (final(bound) - first[1])
    return per_seed(found.mean(_others(found)))


def factor_over_plain(tree: xr.DataTree, block: str, select: Selection = None) -> Sample:
    """`factor_over_plain` returns the factor that a step leaves of the loss, the geometric mean over all of
    them, over 1 − 1/κ."""
    trained = node_of(tree, "trained", block, select)
    factor = np.exp(-decay_per_step(trained))
    return per_seed(factor / (1 - 1 / constants(trained).condition))


def _others(found: xr.DataArray) -> list[str]:
    return [str(dim) for dim in found.dims if dim != "seed"]


def _least(found: xr.DataArray) -> Sample:
    return per_seed(found.min(_others(found)))
