"""Prepared splits in memory, of a recipe or of its mapping with defaults left out."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from minima.data.prepared import LONG_NAMES, Prepared
from minima.data.splits import splits_of
from minima.plan.recipes import Recipe, reader


def prepare(recipe: Recipe | Mapping[str, Any], splits: Sequence[int], data_dir: str | Path) -> xr.Dataset:
    """`prepare` returns the splits of a recipe in memory: x_* [split, rows, feature], y_* [split, rows,
    output], label_* [split, rows] and digest [split]."""
    found = prepared(recipe, splits, data_dir)
    arrays = {name: np.empty((len(splits), *v.shape), v.dtype) for name, v in found.variables.items()}
    digests = found.into(arrays)
    variables = {name: (v.dims, arrays[name], dict(v.attributes)) for name, v in found.variables.items()}
    variables["digest"] = ("split", np.array(digests), {"long_name": LONG_NAMES["digest"]})
    number = ("split", np.array(splits, np.int64), {"long_name": LONG_NAMES["split"]})
    return xr.Dataset(variables, coords={"split": number}, attrs=dict(found.attributes))


def prepared(recipe: Recipe | Mapping[str, Any], splits: Sequence[int], data_dir: str | Path) -> Prepared:
    """`prepared` returns the splits of a recipe, yet to be made."""
    return splits_of(reader().validate_python(recipe), splits, data_dir)
