"""Quantities of two-layer linear networks that estimands and figures compute (arXiv:2105.06351)."""

import numpy as np
import xarray as xr

from minima.findings.measures import fixed
from minima.findings.samples import Selection, at, node_of
from minima.findings.stats import NotEstimable

ROUNDING = 1e-16  # losses below this part of the first are rounding
PAPER_CASES = {  # (σ_U, σ_V) → c, loss at 15,000 steps, and the bound on it, as published
    "0.1, 0.1": (6.02, 3.6e-3, 9.5e-3),
    "0.5, 0.02": (39.6, None, None),  # the published legend prints (0.2, 0.05), whose c is another
    "0.05, 0.2": (20.1, 1.1e-4, 1.45e-4),
}
PAPER_BALANCED = 2.1e-2
PAPER_WIDTHS = {500: (0.78, 6.7e4), 9500: (0.19, 5.7e4)}  # distance to the min-norm solution, and steps


def time(trained: xr.Dataset) -> xr.DataArray:
    """`time` returns the time of the flow, or learning rate × steps, at the recorded steps."""
    return trained.time_path if "time_path" in trained else trained.learning_rate * trained.step


def visible(trained: xr.Dataset) -> xr.DataArray:
    """`visible` returns where the loss is more than rounding."""
    return trained.loss > ROUNDING * trained.loss.isel(step=0)


def log_bound(trained: xr.Dataset, factor: float = 1.0) -> xr.DataArray:
    """`log_bound` returns the log of Theorem 1's bound on L(t)/L(0), with `factor` · c for c."""
    return -factor * trained.rate_bounds_path.isel(step=0, bound=0) * time(trained)


def guaranteed_share(trained: xr.Dataset, factor: float = 1.0) -> xr.DataArray:
    """`guaranteed_share` returns which share of the decay log L(0)/L(t) Theorem 1 guarantees, with `factor` ·
    c for c: above 1 where the bound is broken, NaN at the start.

    The ratio of loss and bound is 1 at the start, whatever the rates, and near 1 soon after, so that its
    maximum says nothing. The share begins at the ratio of the guaranteed rate and the rate found.
    """
    found = -np.log(trained.loss / trained.loss.isel(step=0))
    share = xr.where(found > 0, -log_bound(trained, factor) / found, np.inf)
    return share.where(visible(trained) & (trained.step > 0))


def decay_over_bound(trained: xr.Dataset, bound: int) -> xr.DataArray:
    """`decay_over_bound` returns −L̇/L over its bound by Theorem 1 (`bound` 0) or Proposition 1′ (1)."""
    return (trained.decay_path / trained.rate_bounds_path.isel(bound=bound)).where(visible(trained))


def least_imbalance(trained: xr.Dataset) -> xr.DataArray:
    """`least_imbalance` returns c, read off the bound 2cλ_r/n of Theorem 1 where all singular values of X are
    1."""
    if fixed(trained, "data", "spectrum") != "flat":
        raise NotEstimable("c is read off the bound where all singular values of the inputs are 1")
    return trained.rate_bounds_path.isel(step=0, bound=0) * fixed(trained, "data", "train_size") / 2


def min_norm_distance(tree: xr.DataTree, block: str, select: Selection) -> xr.DataArray:
    """`min_norm_distance` returns ‖UVᵀ − Θ̂‖_F at the end; the test points must be the unit vectors."""
    trained = node_of(tree, "trained", block, select)
    unseen_directions(trained)
    target = at(tree[f"reference/{block}"].to_dataset(), block, "reference", "min_norm").test
    return np.sqrt(((trained.test - target) ** 2).sum(("point", "output"), skipna=False))


def start_distance(tree: xr.DataTree, block: str, select: Selection) -> xr.DataArray:
    """`start_distance` returns ‖U2Vᵀ‖_F at the start, the root of ‖UVᵀ‖² less what the points see of it,
    f₀ᵀ(XXᵀ)⁻¹f₀ of their predictions."""
    trained = node_of(tree, "trained", block, select)
    unseen_directions(trained)
    products = tree[f"reference/{block}"].to_dataset().products
    whole = (trained.start_test**2).sum(("point", "output"))
    seen = xr.apply_ufunc(
        lambda f, k: (f * np.linalg.solve(k, f)).sum((-2, -1)),
        trained.start_train,
        products,
        input_core_dims=[["train_point", "output"], ["train_point", "other_point"]],
    )
    return np.sqrt(whole - seen)


def unseen_directions(trained: xr.Dataset) -> int:
    """`unseen_directions` returns (D − r)m, the number of entries of U2Vᵀ, and refuses data whose test rows
    are not the unit vectors of a linear teacher."""
    if fixed(trained, "data", "source") != "linear_teacher" or fixed(trained, "data", "test_size") != fixed(
        trained, "data", "dimension"
    ):
        raise NotEstimable("needs data of a linear_teacher with as many test rows as features")
    unseen = fixed(trained, "data", "dimension") - fixed(trained, "data", "train_size")
    return unseen * fixed(trained, "data", "outputs")
