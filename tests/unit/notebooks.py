"""Notebooks, run without Jupyter: their cells of code in one namespace, from top to bottom."""

import json
from pathlib import Path
from typing import Any

import matplotlib

FOLDER = Path(__file__).parents[2] / "notebooks"


def code_of(name: str) -> list[dict[str, Any]]:
    """`code_of` returns a notebook's cells of code."""
    cells = json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))["cells"]
    return [cell for cell in cells if cell["cell_type"] == "code"]


def variables_of(name: str) -> dict[str, Any]:
    """`variables_of` returns a notebook's variables after it ran."""
    matplotlib.use("agg")
    found: dict[str, Any] = {}
    for cell in code_of(name):
        exec("".join(cell["source"]), found)
    return found
