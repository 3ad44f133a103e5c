"""Small questions that figures and estimands ask of a block's dataset."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr


def rms(functions: xr.DataArray) -> xr.DataArray:
    """Root mean square over test points and outputs: the distance in function space."""
    return np.sqrt((functions**2).mean(("point", "output"), skipna=False))


def half_difference(functions: xr.DataArray) -> xr.DataArray:
    """(f₊ − f₋)/2 over flipped pairs: the initialization's share of the minimizer."""
    return (functions.sel(flip=False) - functions.sel(flip=True)) / 2


def converged(trained: xr.Dataset, *over: str) -> xr.DataArray:
    """Where all networks, over these dimensions, converged."""
    if strange := [dim for dim in over if dim not in trained.status.dims]:
        raise KeyError(f"axis {', '.join(strange)}")
    return (trained.status == "converged").all(over)


def power_of_scale(trained: xr.Dataset, place: Mapping[str, Any]) -> int | None:
    """H, where f₀ ∝ σ^H at this place of the grid; None where networks are not homogeneous (erf, tanh) or
    are an axis as a whole."""
    network = json.loads(trained.attrs["fixed"]).get("network", {}) | dict(place)
    return network.get("depth") if network.get("activation") in ("relu", "linear") else None


def fixed(block: xr.Dataset, section: str, field: str) -> Any:
    """A field of the block's cells that no axis varies."""
    return json.loads(block.attrs["fixed"])[section][field]
