"""Decision boundaries in the plane of the inputs."""

import numpy as np
import xarray as xr

from minima.streams import stream


def crossings(plane: xr.DataArray, segments: int = 1000, points: int = 200) -> xr.DataArray:
    """`crossings` returns how often a random segment in the plane's box crosses the decision boundary, on
    average.

    plane: predictions along plane_y, plane_x and output (one, by its sign). Segments join two uniform points
    and are the same for every network; along each the prediction is that of the nearest point of the grid.
    """
    sides = plane.sizes["plane_y"], plane.sizes["plane_x"]
    ends = stream(0, "segments").random((2, segments, 2))
    way = ends[0][:, None] + np.linspace(0, 1, points)[:, None] * (ends[1] - ends[0])[:, None]
    rows, columns = (np.rint(way[..., i] * (side - 1)).astype(int) for i, side in enumerate(sides))
    f = plane.isel(output=0).transpose("plane_y", "plane_x", ...)
    along = f.values[rows, columns] > 0  # [segments, points, …]
    counted = (along[:, 1:] != along[:, :-1]).sum(1).mean(0)
    missing = np.isnan(f.values).any((0, 1))
    dims = f.dims[2:]
    return xr.DataArray(
        np.where(missing, np.nan, counted), dims=dims, coords={d: f[d] for d in dims if d in f.coords}
    )
