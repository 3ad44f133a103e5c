"""Networks that one method trained at several steps, where an axis names method and step: `adagrad η/2`."""

import xarray as xr

from minima.findings.stats import NotEstimable

AXIS = "optimizer"


def methods(trained: xr.Dataset) -> list[str]:
    """`methods` returns the methods of the axis in its order: the first words of its labels."""
    return list(dict.fromkeys(label.split()[0] for label in trained[AXIS].values.tolist()))


def by_step(values: xr.DataArray, trained: xr.Dataset, method: str) -> xr.DataArray:
    """`by_step` returns the values [optimizer, …] of one method along `share`, its learning rate over the
    greatest: relative rates of networks that have edges of their own are in the same ratio."""
    labels = [label for label in trained[AXIS].values.tolist() if label.split()[0] == method]
    if not labels:
        raise NotEstimable(f"not in the dataset: {method} of the axis {AXIS}")
    rates = trained.learning_rate.sel({AXIS: labels})
    shares = (rates / rates.max(AXIS)).mean([dim for dim in rates.dims if dim != AXIS])
    return values.sel({AXIS: labels}).rename({AXIS: "share"}).assign_coords(share=shares.values)
