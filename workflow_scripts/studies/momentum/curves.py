"""Fits to training curves: rates, envelopes and how far a frozen kernel predicts them."""

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from minima.findings.stats import NotEstimable
from minima.findings.trajectories import predicted_loss, relative_loss, shares

Array = NDArray[np.float64]


def slowest(block: xr.Dataset) -> xr.DataArray:
    """`slowest` returns ηλmin/N per network."""
    return shares(block).isel(mode=0, drop=True)


def sup_error(block: xr.Dataset, ode: bool = False) -> xr.DataArray:
    """Largest |L − L_predicted|/L(0) over the recorded steps that a network was trained for."""
    return abs(relative_loss(block) - predicted_loss(block, ode)).max("step")


def near(curves: xr.DataArray, step: float) -> xr.DataArray:
    """`near` returns the curves at the recorded step nearest to `step`."""
    return curves.sel(step=step, method="nearest")


def between(curves: xr.DataArray, window: tuple[float, float]) -> xr.DataArray:
    """`between` returns the recorded steps of a window, ends included."""
    return curves.sel(step=slice(*window))


class Fit(NamedTuple):
    """`Fit` is a straight line through log L: its slope, R² and the sum of squares that it leaves."""

    slope: float
    r_squared: float
    left: float


def exponential(steps: Array, losses: Array) -> Fit:
    """log L linear in k."""
    return _line(steps, np.log(losses))


def power_law(steps: Array, losses: Array) -> Fit:
    """log L linear in log k."""
    return _line(np.log(steps), np.log(losses))


def local_maxima(steps: Array, losses: Array) -> tuple[Array, Array]:
    """The steps and heights of the local maxima inside a curve: its envelope."""
    inner = (losses[1:-1] > losses[:-2]) & (losses[1:-1] > losses[2:])
    return steps[1:-1][inner], losses[1:-1][inner]


def envelope(steps: Array, losses: Array, least: int = 5) -> tuple[Array, Array]:
    """`envelope` returns the local maxima of a curve, and refuses a curve with fewer than `least` of them."""
    found = local_maxima(steps, losses)
    if len(found[0]) < least:
        raise NotEstimable(f"a curve has {len(found[0])} local maxima in the window where {least} are needed")
    return found


def where_it_can(fit: Callable[..., float]) -> Callable[..., float]:
    """`where_it_can` returns the fit with NaN in place of its refusals, as figures need it."""

    def found(*arguments: Any) -> float:
        try:
            return fit(*arguments)
        except NotEstimable:
            return np.nan

    return found


def each(curves: xr.DataArray, fit: Callable[..., float], *more: xr.DataArray) -> xr.DataArray:
    """`fit(steps, losses, …)` of every curve; NaN where a network did not get through the curve's steps."""
    steps = curves.step.values.astype(float)

    def one(losses: Array, *numbers: float) -> float:
        return fit(steps, losses, *numbers) if np.isfinite(losses).all() else np.nan

    cores = [["step"], *[[] for _ in more]]
    return xr.apply_ufunc(one, curves, *more, input_core_dims=cores, vectorize=True)


def rate(steps: Array, losses: Array) -> float:
    """−d log L/dk."""
    return -exponential(steps, losses).slope


def envelope_power(steps: Array, losses: Array) -> float:
    """d log L/d log k through the local maxima."""
    return power_law(*envelope(steps, losses)).slope


def _line(x: Array, y: Array) -> Fit:
    if len(x) < 3 or not np.isfinite(y).all():
        raise NotEstimable("a curve is not positive and complete in the window")
    slope, level = np.polyfit(x, y, 1)
    left = float(((y - level - slope * x) ** 2).sum())
    return Fit(float(slope), 1 - left / float(((y - y.mean()) ** 2).sum()), left)
