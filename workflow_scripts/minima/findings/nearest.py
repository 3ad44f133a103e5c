"""The minimizer nearest to each trained network, among those that theory computed for the network.

The distance of a trained network f from a minimizer g is ‖f − g‖/‖f‖ in L2 over the test points and outputs:
divided by the same number for every g, so that the least distance is the nearest function. A network that did
not converge has no minimizer: its distances are NaN and its answer is what became of it.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

UNIT = {"units": "1"}
# Two theories of one minimizer (a closed form and its recursion) differ by rounding: the first named is told.
TIE = 1e-6
NOTHING = "nothing comparable"


def nearest_minimizer(
    trained: xr.Dataset,
    predicted: xr.Dataset | None,
    references: xr.Dataset | None,
    shared_data: Sequence[int] | None = None,
) -> xr.Dataset | None:
    """`distance_to` along the dimension `minimizer`, and the name of the `nearest`, per network; None where
    there is nothing to compare with.

    `shared_data` has a number per seed, equal where two seeds have the same data. Those seeds differ by
    initialization and batches alone, and `seed_spread` says how far apart two of them end: a distance below
    it is one that another seed would change. Where each seed has data of its own, functions of two seeds have
    no test points in common, and only the distances themselves can be compared between seeds, as
    `distance_to.std("seed")`.
    """
    candidates = _candidates(predicted, references)
    if not candidates:
        return None
    f, converged = trained.test, trained.status == "converged"
    real = f.notnull()
    size = _length(f, real)
    distances = [(_length(f - g, real) / size).where(converged) for g in candidates.values()]
    names = xr.DataArray(
        list(candidates), dims="minimizer", attrs={"long_name": "minimizer that theory computes"}
    )
    distance = xr.concat(distances, dim="minimizer", coords="minimal", compat="override")
    distance = distance.transpose(*trained.status.dims, "minimizer")
    found = xr.Dataset(
        {
            "distance_to": distance.reset_coords(drop=True).assign_attrs(
                long_name="distance from the minimizer on the test points, over the norm there", **UNIT
            ),
            "nearest": _names_of_nearest(distance, names.values, trained.status),
        }
    ).assign_coords(minimizer=names)
    if shared_data is not None:
        found["seed_spread"] = _spread(f.where(converged), size.where(converged), shared_data)
    return found


def _candidates(predicted: xr.Dataset | None, references: xr.Dataset | None) -> dict[str, xr.DataArray]:
    """Every minimizer's function on the test points, by name."""
    found = {}
    for node, dim in ((predicted, "predictor"), (references, "reference")):
        if node is not None and "test" in node:
            found |= {str(name): node.test.sel({dim: name}, drop=True) for name in node[dim].values}
    return found


def _length(function: xr.DataArray, real: xr.DataArray) -> xr.DataArray:
    """`_length` returns the L2 norm over the points and outputs that a cell really has; NaN where the
    function misses one of them."""
    return np.sqrt((function**2).where(real, 0.0).sum(("point", "output"), skipna=False))


def _names_of_nearest(distance: xr.DataArray, names: np.ndarray, status: xr.DataArray) -> xr.DataArray:
    known = distance.notnull().any("minimizer")
    first = (distance <= distance.min("minimizer") + TIE).argmax("minimizer")
    answer = np.where(known, names[first.values], NOTHING)
    return status.copy(data=np.where(status == "converged", answer, status)).assign_attrs(
        long_name="nearest minimizer; what became of the training where it did not converge", units=""
    )


def _spread(f: xr.DataArray, size: xr.DataArray, shared_data: Sequence[int]) -> xr.DataArray:
    """Root mean square distance between the functions of two seeds on the same data, over their root mean
    square norm; NaN where no two converged."""
    apart, squares = [], []
    for data in dict.fromkeys(shared_data):
        rows = [row for row, here in enumerate(shared_data) if here == data]
        # Twice the variance is the mean square of a difference of two.
        apart.append(2 * f.isel(seed=rows).var("seed", ddof=1).sum(("point", "output"), min_count=1))
        squares.append((size**2).isel(seed=rows).mean("seed").where(apart[-1].notnull()))
    ratio = xr.concat(apart, "data").mean("data") / xr.concat(squares, "data").mean("data")
    return np.sqrt(ratio).assign_attrs(
        long_name="distance between the functions of two seeds on the same data, over their norm", **UNIT
    )
