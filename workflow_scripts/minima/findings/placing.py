"""From a list of cells to labelled arrays in the shape of a block's grid."""

from collections.abc import Callable, Collection, Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from minima.variables import COORDINATES

if TYPE_CHECKING:
    from minima.plan.axes import Axis
    from minima.plan.grid import Cell, Grid

# The networks themselves stay in the packs; labels of the store say nothing to a reader of the study.
LEFT_OUT = {"parameters", "key", "fields", "data", "start"}


def place(grid: "Grid", packs: Sequence[xr.Dataset], left_out: Collection[str] = LEFT_OUT) -> xr.Dataset:
    """`place` returns every variable of the block's cells but those left out, in the shape of the block's
    grid. The packs may be open files: of each variable one pack's values are held at a time.
    """
    mine = [(pack, *where) for pack in packs if (where := places(grid, pack))[0]]
    coordinates = {
        name: np.unique(np.concatenate([pack[name].values for pack, _, _ in mine]))
        for name in COORDINATES
        if all(name in pack for pack, _, _ in mine)
    }
    found: dict[str, Any] = {}
    for name in dict.fromkeys(str(name) for pack, _, _ in mine for name in pack.data_vars):
        if name in left_out:
            continue
        parts = [(pack[name], rows, positions) for pack, rows, positions in mine if name in pack]
        dims = parts[0][0].dims[1:]
        sizes = [
            len(coordinates[dim]) if dim in coordinates else max(part.sizes[dim] for part, _, _ in parts)
            for dim in dims
        ]
        values = _empty([part for part, _, _ in parts], (len(grid.cells), *sizes))
        for part, rows, positions in parts:
            where = [
                np.searchsorted(coordinates[dim], part[dim].values)
                if dim in coordinates
                else np.arange(part.sizes[dim])
                for dim in dims
            ]
            values[np.ix_(positions, *where)] = part.values[rows]
        attributes = parts[0][0].attrs
        found[name] = (
            (*(axis.dimension for axis in grid.axes), *dims),
            values.reshape(*grid.shape, *sizes),
            attributes,
        )
    shared = {
        name: (name, values, {"long_name": COORDINATES[name].long_name, "units": COORDINATES[name].units})
        for name, values in coordinates.items()
    }
    return xr.Dataset(found, coords=_labels(grid.axes) | shared)


def places(grid: "Grid", pack: xr.Dataset) -> tuple[list[int], list[int]]:
    """`places` returns the rows of a pack that are cells of the block, and their positions in it."""
    position = {cell.digest: number for number, cell in enumerate(grid.cells)}
    mine = [
        (row, position[cell]) for row, cell in enumerate(pack["cell"].values.tolist()) if cell in position
    ]
    return [row for row, _ in mine], [number for _, number in mine]


def _labels(axes: "Iterable[Axis]") -> dict[str, Any]:
    """`_labels` returns the coordinates of some axes."""
    return {
        axis.dimension: (axis.dimension, np.array(axis.labels), {"long_name": axis.path}) for axis in axes
    }


def _empty(parts: Sequence[xr.DataArray], shape: tuple[int, ...]) -> np.ndarray:
    """`_empty` returns an array of missing values: NaN for numbers, `missing` for words, with room for the
    longest of `parts`."""
    if parts[0].dtype.kind in "UO":
        longest = max(len(word) for part in parts for word in ("missing", *part.values.ravel()))
        return np.full(shape, "missing", dtype=f"U{longest}")
    return np.full(shape, np.nan, dtype=np.float64)


def along(grid: "Grid", fields: Sequence[str], load: "Callable[[Cell], xr.Dataset]") -> xr.Dataset:
    """What depends only on some fields and on the seed, loaded once per place of those axes.

    Rows that only some places have (a train size that varies) are NaN in the others.
    """

    def depends(path: str) -> bool:
        # An axis over a whole section or the field it is in moves the field as well.
        return path == "seed" or any(
            path == field or path.startswith(f"{field}.") or field.startswith(f"{path}.") for field in fields
        )

    kept = [i for i, axis in enumerate(grid.axes) if depends(axis.path)]
    cells = np.array(grid.cells, dtype=object).reshape(grid.shape)
    cells = cells[tuple(slice(None) if i in kept else 0 for i in range(len(grid.axes)))]
    loaded = [load(cell) for cell in cells.ravel()]
    most = {dim: max(part.sizes[dim] for part in loaded) for dim in loaded[0].sizes}
    padded = [
        part.pad({dim: (0, most[dim] - size) for dim, size in part.sizes.items() if size < most[dim]})
        for part in loaded
    ]
    joined = xr.concat(padded, dim="place", coords="minimal", compat="override", join="override")
    dims = [grid.axes[i].dimension for i in kept]
    labels = _labels(grid.axes[i] for i in kept)
    shaped = {
        name: ((*dims, *v.dims[1:]), v.values.reshape(*cells.shape, *v.shape[1:]), v.attrs)
        for name, v in joined.data_vars.items()
    }
    return xr.Dataset(
        shaped, coords={name: c for name, c in joined.coords.items() if name != "place"} | labels
    )
