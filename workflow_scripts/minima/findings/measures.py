"""Quantities that figures and estimands compute from a block's dataset."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr


def rms(functions: xr.DataArray) -> xr.DataArray:
    """`rms` returns the root mean square over test points and outputs, the distance in function space."""
    return np.sqrt((functions**2).mean(("point", "output"), skipna=False))


def half_difference(functions: xr.DataArray) -> xr.DataArray:
    """`half_difference` returns (f₊ − f₋)/2 of flipped pairs, the initialization's share of the minimizer."""
    return (functions.sel(flip=False) - functions.sel(flip=True)) / 2


def converged(trained: xr.Dataset, *over: str) -> xr.DataArray:
    """`converged` returns where all networks along these dimensions converged."""
    if strange := [dim for dim in over if dim not in trained.status.dims]:
        raise KeyError(f"axis {', '.join(strange)}")
    return (trained.status == "converged").all(over)


def power_of_scale(trained: xr.Dataset, place: Mapping[str, Any]) -> int | None:
    """`power_of_scale` returns the H of f₀ ∝ σ^H at this place of the grid; None where networks are not
    homogeneous (erf, tanh), or where `network` as a whole is an axis."""
    network = shared(trained).get("network", {}) | dict(place)
    return network.get("depth") if network.get("activation") in ("relu", "linear") else None


def shared(block: xr.Dataset | xr.DataTree) -> dict[str, Any]:
    """`shared` returns what all cells of a block share: the sections, without the fields that an axis
    varies."""
    return json.loads(block.attrs["fixed"])


def fixed(block: xr.Dataset, section: str, field: str) -> Any:
    """`fixed` returns a field of the block's cells that no axis varies."""
    return shared(block)[section][field]


def last_rise(scales: np.ndarray, curve: np.ndarray, level: float) -> float:
    """`last_rise` returns the last scale at which a curve over `scales` rises through the level, interpolated
    in logarithms; NaN where it does not."""
    above = curve > level
    rising = np.flatnonzero(~above[:-1] & above[1:])
    if not len(rising):
        return np.nan
    left = rising[-1]
    x, y = np.log(scales[left : left + 2]), np.log(curve[left : left + 2])
    return float(np.exp(np.interp(np.log(level), y, x)))
