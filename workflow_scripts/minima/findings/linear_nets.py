"""What estimands and figures ask of two-layer linear networks (arXiv:2105.06351)."""

import numpy as np
import xarray as xr

from minima.findings.measures import fixed
from minima.findings.samples import Selection, at, node_of
from minima.findings.stats import NotEstimable

ROUNDING = 1e-16  # losses below that part of the first say nothing
PAPER_CASES = {  # (σ_U, σ_V) → c, loss at 15,000 steps, and the bound on it, as published
    "0.1, 0.1": (6.02, 3.6e-3, 9.5e-3),
    "0.5, 0.02": (39.6, None, None),  # the published legend prints (0.2, 0.05), whose c is another
    "0.05, 0.2": (20.1, 1.1e-4, 1.45e-4),
}
PAPER_BALANCED = 2.1e-2
PAPER_WIDTHS = {500: (0.78, 6.7e4), 9500: (0.19, 5.7e4)}  # distance to the min-norm solution, and steps


def time(trained: xr.Dataset) -> xr.DataArray:
    """Learning rate × steps, or the flow's time, at the recorded steps."""
    return trained.time_path if "time_path" in trained else trained.learning_rate * trained.step


def visible(trained: xr.Dataset) -> xr.DataArray:
    """Where the loss is more than rounding."""
    return trained.loss > ROUNDING * trained.loss.isel(step=0)


def log_bound(trained: xr.Dataset, factor: float = 1.0) -> xr.DataArray:
    """Theorem 1: log of the bound on L(t)/L(0), with `factor` · c for c."""
    return -factor * trained.rate_bounds_path.isel(step=0, bound=0) * time(trained)


def loss_over_bound(trained: xr.Dataset, factor: float = 1.0) -> xr.DataArray:
    """L(t) over the bound of Theorem 1."""
    log_loss = np.log(trained.loss.where(visible(trained)) / trained.loss.isel(step=0))
    return np.exp(log_loss - log_bound(trained, factor))


def decay_over_bound(trained: xr.Dataset, bound: int) -> xr.DataArray:
    """−L̇/L over its bound by Theorem 1 (0) or Proposition 1′ (1)."""
    return (trained.decay_path / trained.rate_bounds_path.isel(bound=bound)).where(visible(trained))


def least_imbalance(trained: xr.Dataset) -> xr.DataArray:
    """c, from the bound 2cλ_r/n of Theorem 1, where all singular values of X are 1."""
    if fixed(trained, "data", "spectrum") != "flat":
        raise NotEstimable("c is read off the bound where all singular values of the inputs are 1")
    return trained.rate_bounds_path.isel(step=0, bound=0) * fixed(trained, "data", "train_size") / 2


def min_norm_distance(tree: xr.DataTree, block: str, select: Selection) -> xr.DataArray:
    """‖UVᵀ − Θ̂‖_F at the end; the test points are the unit vectors."""
    trained = node_of(tree, "trained", block, select)
    unseen_directions(trained)
    target = at(tree[f"reference/{block}"].to_dataset(), block, "reference", "min_norm").test
    return np.sqrt(((trained.test - target) ** 2).sum(("point", "output"), skipna=False))


def start_distance(tree: xr.DataTree, block: str, select: Selection) -> xr.DataArray:
    """‖U2Vᵀ‖_F at the start: ‖UVᵀ‖² less the part that the points see, f₀ᵀ(XXᵀ)⁻¹f₀ of their predictions."""
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
    """(D − r)m of a linear teacher whose test rows are all unit vectors."""
    if fixed(trained, "data", "source") != "linear_teacher" or fixed(trained, "data", "test_size") != fixed(
        trained, "data", "dimension"
    ):
        raise NotEstimable("needs data of a linear_teacher with as many test rows as features")
    unseen = fixed(trained, "data", "dimension") - fixed(trained, "data", "train_size")
    return unseen * fixed(trained, "data", "outputs")
