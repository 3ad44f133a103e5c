"""A figure from a study's dataset: its table, then its picture drawn from the table alone."""

from importlib import import_module
from pathlib import Path

import pandas as pd
import xarray as xr

from minima.findings.style import save, styled


def draw_figure(kind: str, block: str, dataset: Path, table_path: Path, picture_paths: list[Path]) -> None:
    """Writes the table (.csv) and the pictures (.png, .svg) of one figure."""
    figure_module = import_module(f"minima.findings.figures.{kind}")
    with xr.open_datatree(dataset, engine="netcdf4") as tree:
        table = figure_module.tabulate(tree, block)
    temporary = table_path.with_name(f".{table_path.name}")
    table.to_csv(temporary, index=False, float_format="%.10g")
    temporary.replace(table_path)
    with styled():
        figure = figure_module.draw(
            pd.read_csv(table_path, keep_default_na=False, na_values=["nan", ""]).fillna({"panel": ""})
        )
        for path in picture_paths:
            save(figure, path)
