"""Which minimizer each trained network found, among those that theory computed for the network.

The distance of a trained network f from a minimizer g is d(g) = ‖f − g‖/‖f‖ in L2 over the test points and
outputs: divided by the same number for every g, so that the least distance is the nearest function. That some
g is the nearest of several is no answer yet. The verdict has one rule, with a tolerance `within` in the same
unit. Let g be the nearest, and s(h) = ‖g − h‖/‖f‖ how far another candidate h stands from it.

    none      where d(g) > within: no theory says where the network went.
    told      The network tells h from g where d(g) < s(h)/2: f lies in the ball around g that reaches half of
              the way to h.
    g or h    where it does not tell them, but both are its minimizer and one function to the tolerance:
              d(h) ≤ within and s(h) ≤ within.
    none      where it does not tell them and they are not: the network lies between two minimizers.
    g         otherwise.

So two theories of one minimizer never spoil an answer, however near to each other, and nothing is named that
is not within the tolerance. A network that did not converge has no minimizer: its distances are NaN and its
verdict is what became of it.
"""

from collections.abc import Sequence

import numpy as np
import xarray as xr

UNIT = {"units": "1"}
# Two theories of one minimizer (a closed form and its recursion) differ by rounding: the first named is told.
TIE = 1e-6
NONE = "none"
OR = " or "
NOTHING = "nothing comparable"


def nearest_minimizer(
    trained: xr.Dataset,
    predicted: xr.Dataset | None,
    references: xr.Dataset | None,
    within: float,
    shared_data: Sequence[int] | None = None,
) -> xr.Dataset | None:
    """`nearest_minimizer` returns per network the verdict `nearest` (a name, several joined by `or`, `none`,
    or what became of the training), `nearest_distance` of the nearest candidate whatever the verdict,
    `nearest_lead` of a named one over the nearest that is not named, the `nearest_next`, and `distance_to`
    every `minimizer`; None where there is nothing to compare with.

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
    names = xr.DataArray(
        list(candidates), dims="minimizer", attrs={"long_name": "minimizer that theory computes"}
    )

    def distances_from(function: xr.DataArray) -> xr.DataArray:
        each = [(_length(function - g, real) / size).where(converged) for g in candidates.values()]
        joined = xr.concat(each, dim="minimizer", coords="minimal", compat="override")
        return joined.transpose(*trained.status.dims, "minimizer").reset_coords(drop=True)

    distance = distances_from(f)
    order = distance.fillna(np.inf).argmin("minimizer")
    closest = xr.full_like(f, np.nan)
    for position, g in enumerate(candidates.values()):
        closest = closest.where(order != position, g)
    found = _verdicts(distance, distances_from(closest), names.values, trained.status, within)
    found = found.assign_coords(minimizer=names)
    if shared_data is not None:
        found["seed_spread"] = _spread(f.where(converged), size.where(converged), shared_data)
    return found


def named(verdict: str) -> list[str]:
    """`named` returns the minimizers that a verdict names, or the one word that it is."""
    return verdict.split(OR)


def _verdicts(
    distance: xr.DataArray, apart: xr.DataArray, names: np.ndarray, status: xr.DataArray, within: float
) -> xr.Dataset:
    """`_verdicts` returns the answer from the candidates' distances from the network and from the nearest of
    them, both along `minimizer`."""
    least = distance.min("minimizer")
    same = apart <= TIE
    together = same | (least >= apart / 2)
    contradicted = together & ((distance > within) | (apart > within)) & ~same
    answered = (least <= within) & ~contradicted.any("minimizer")
    # Of those that coincide with the nearest the first stands for all.
    first = same & (same.cumsum("minimizer") == 1)
    told = (together & ~same) | first
    words = [OR.join(names[row]) for row in told.values.reshape(-1, len(names))]
    words = np.array(words, dtype=object).reshape(least.shape)
    verdict = np.where(answered, words, np.where(least.notnull(), NONE, NOTHING))
    others = distance.where(~together & answered)
    lead = others.min("minimizer") - least
    following = np.where(lead.notnull(), names[others.fillna(np.inf).argmin("minimizer").values], "")
    return xr.Dataset(
        {
            "distance_to": distance.assign_attrs(
                long_name="distance from the minimizer on the test points, over the norm there", **UNIT
            ),
            "nearest": status.copy(
                data=np.where(status == "converged", verdict, status).astype(str)
            ).assign_attrs(
                long_name="minimizer that the network found, or none; what became of the training where it "
                "did not converge",
                units="",
                within=within,
            ),
            "nearest_distance": least.assign_attrs(
                long_name="distance from the nearest minimizer, found or not, over the network's norm", **UNIT
            ),
            "nearest_next": status.copy(data=following).assign_attrs(
                long_name="nearest of the minimizers that the answer does not name", units=""
            ),
            "nearest_lead": lead.assign_attrs(
                long_name="how much farther than the nearest nearest_next is, over the network's norm",
                **UNIT,
            ),
        }
    )


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
