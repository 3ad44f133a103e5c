"""The steps and coordinates at which results of a training are recorded."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def step_grid(record: Mapping[str, Any], max_steps: int) -> list[int]:
    """`step_grid` returns the recorded steps: the declared ones, or every so many, or 0 and a log-spaced
    grid; the latter two to the last step."""
    if record["steps"] is not None:
        return sorted({step for step in record["steps"] if step <= max_steps})
    if every := record.get("every"):
        return sorted({*range(0, max_steps, every), max_steps})
    count = int(record["steps_per_decade"] * np.log10(max_steps)) + 2
    return [0, *sorted({round(step) for step in np.geomspace(1, max_steps, count).tolist()})]


def coordinates(cell: Mapping[str, Any]) -> dict[str, list[float]]:
    """`coordinates` returns the coordinates of the dimensions that a cell's fields declare."""
    record = cell["record"]
    return {
        "step": step_grid(record, cell["stop"]["max_steps"]),
        "level": sorted(record["residuals"], reverse=True),
    } | (
        {} if record["plane"] is None else dict.fromkeys(("plane_x", "plane_y"), plane_grid(record["plane"]))
    )


def plane_grid(plane: Mapping[str, Any]) -> list[float]:
    """`plane_grid` returns the coordinates along a side of the grid on which a trained network is
    evaluated."""
    return np.linspace(plane["low"], plane["high"], plane["side"]).tolist()
