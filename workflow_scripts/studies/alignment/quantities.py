"""Quantities of two-layer ReLU networks that start small, for estimands and figures (arXiv:2307.12851).

The paper's loss is a sum over the points of losses whose slope at f = 0 is 1. The time t of its flow is
learning rate × steps / n, and half of that for log(1 + e^(−yf)). The clock is t‖x₊‖, x₊ the sum of the
inputs of class +1: neurons of V₊ that see their own class and no other grow as e^(t‖x₊‖).
"""

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import fixed, shared
from minima.findings.stats import NotEstimable

ALIGNED = 0.25  # max |f| on the training points at the end of the paper's first phase, t₂
SLOPES = {"logistic": 0.5, "exponential": 1.0, "mse": 1.0}  # of the loss at f = 0, per point
SEERS, LIVE = 0, 1  # in `own_cone`: of the neurons that saw their own class at the start, of live ones
WRONG = 0  # in `wrong_changes`
COSINES = {"median": 0, "least": 1, "weighted by energy": 2}  # in `neuron_cosines`
FLIPPED, RIGHT = range(2)  # in `output_signs`
X_PLUS, COSINE = 0, 2  # in `class_sums`


def entry(trained: xr.Dataset, probe: str, number: int) -> xr.DataArray:
    """`entry` returns one of a probe's numbers at the recorded steps."""
    path = trained[f"{probe}_path"]
    return path.isel({path.dims[-1]: number}, drop=True)


def class_sum(trained: xr.Dataset, number: int = X_PLUS) -> xr.DataArray:
    """`class_sum` returns ‖x₊‖, or another number of the probe."""
    return entry(trained, "class_sums", number).isel(step=0, drop=True)


def time_per_step(trained: xr.Dataset) -> xr.DataArray:
    """`time_per_step` returns the time of the paper's flow that a step takes."""
    return trained.learning_rate / _paper_over_ours(trained)


def paper_loss(trained: xr.Dataset) -> xr.DataArray:
    """`paper_loss` returns the paper's loss, the sum over the points of losses of slope 1."""
    return trained.loss * _paper_over_ours(trained)


def _paper_over_ours(trained: xr.Dataset) -> float:
    """`_paper_over_ours` returns the paper's loss over the mean that is trained."""
    loss = shared(trained)["loss"]
    if loss not in SLOPES:
        raise NotEstimable(f"the slope of loss: {loss} at f = 0 is not known")
    return fixed(trained, "data", "train_size") / SLOPES[loss]


def clock(trained: xr.Dataset) -> xr.DataArray:
    """`clock` returns t‖x₊‖ at the recorded steps."""
    return time_per_step(trained) * class_sum(trained) * trained.step


def relative_loss(trained: xr.Dataset) -> xr.DataArray:
    """`relative_loss` returns the loss over that at the start."""
    return trained.loss / trained.loss.isel(step=0)


def crossing(path: xr.DataArray, level: float, rising: bool) -> xr.DataArray:
    """`crossing` returns the step at which a positive path first passes a level, interpolated between
    recorded steps in its logarithm; NaN where the path begins beyond the level or does not get there."""

    def first(values: np.ndarray) -> float:
        beyond = values >= level if rising else values <= level
        if beyond[0] or not beyond.any():
            return np.nan
        after = int(beyond.argmax())
        before = values[after - 1]
        if not before > 0:  # from 0 there is no interpolation
            return float(steps[after])
        share = np.log(level / before) / np.log(values[after] / before)
        return float(steps[after - 1] + share * (steps[after] - steps[after - 1]))

    steps = path.step.values
    return _over_steps(first, path)


def alignment_end(trained: xr.Dataset) -> xr.DataArray:
    """`alignment_end` returns the step t₂ at which max |f| on the training points is ¼."""
    return crossing(trained.largest_output_path, ALIGNED, rising=True)


def entry_of_all(trained: xr.Dataset) -> xr.DataArray:
    """`entry_of_all` returns the step t₁ from which on all neurons that saw a point of their own class
    are in its cone: a recorded one, NaN where they are not all in it at the end."""

    def last(values: np.ndarray) -> float:
        outside = values[np.isfinite(values)] < 1
        if not outside.size or outside[-1]:
            return np.nan
        return float(steps[np.flatnonzero(outside)[-1] + 1 if outside.any() else 0])

    share = entry(trained, "own_cone", SEERS)
    steps = share.step.values
    return _over_steps(last, share)


def at_step(path: xr.DataArray, step: xr.DataArray) -> xr.DataArray:
    """`at_step` returns a path's value at the first recorded step at or after the given ones; NaN where
    there is none."""
    steps = path.step.values
    place = np.searchsorted(steps, step.values)
    there = np.isfinite(step.values) & (place < len(steps))
    index = xr.DataArray(np.where(there, place, 0), step.coords, step.dims)
    return path.isel(step=index).drop_vars("step").where(xr.DataArray(there, step.coords, step.dims))


def at_loss(path: xr.DataArray, trained: xr.Dataset, share: float) -> xr.DataArray:
    """`at_loss` returns a path's value at the first recorded step at which the loss is at most this share
    of that at the start."""
    return at_step(path, crossing(relative_loss(trained), share, rising=False))


def late_share(start: xr.DataArray, now: xr.DataArray) -> xr.DataArray:
    """`late_share` returns the share caught of those that were not in the cone at the start, which those that
    were never leave."""
    return (now - start) / (1 - start).where(start < 1)


def half_scale(trained: xr.Dataset, loss: float) -> xr.DataArray:
    """`half_scale` returns the largest ε, interpolated in its logarithm, below which more than half of
    the late neurons are caught; NaN where they are at every ε, or at none."""
    share = entry(trained, "own_cone", SEERS)
    caught = late_share(share.isel(step=0, drop=True), at_loss(share, trained, loss))
    scales = np.log(along(trained, "scale"))
    order = np.argsort(scales)

    def last(values: np.ndarray) -> float:
        x, y = scales[order], values[order]
        there = np.isfinite(y)
        x, y = x[there], y[there]
        falls = np.flatnonzero((y[:-1] > 0.5) & (y[1:] <= 0.5))
        if not falls.size:
            return np.nan
        left = falls[0]
        return float(np.exp(np.interp(0.5, y[left : left + 2][::-1], x[left : left + 2][::-1])))

    return xr.apply_ufunc(last, caught, input_core_dims=[["scale"]], vectorize=True)


def along(trained: xr.Dataset, axis: str) -> np.ndarray:
    """`along` returns the numbers on an axis, whose labels may be words for them."""
    return np.array([float(label) for label in trained[axis].values])


def one_number(trained: xr.Dataset, select: Mapping[str, Any] | None, section: str, field: str) -> float:
    """`one_number` returns a field of the cells that is selected on an axis, or that all of them share."""
    chosen = (select or {}).get(field)
    return float(fixed(trained, section, field) if chosen is None else chosen)


def _over_steps(function: Any, path: xr.DataArray) -> xr.DataArray:
    """`_over_steps` returns a function of each network's whole path."""
    return xr.apply_ufunc(function, path, input_core_dims=[["step"]], vectorize=True)
