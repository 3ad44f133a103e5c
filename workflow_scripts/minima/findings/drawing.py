"""A figure from a study's dataset: its table, then its picture drawn from the table alone."""

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pandas as pd
import xarray as xr

from minima.findings.files import write_text
from minima.findings.style import save, styled

NUMBERS = {"x", "estimate", "low", "high", "spread", "cost"}  # even where all of them are empty


def draw_figure(
    kind: str, blocks: Sequence[str], dataset: Path, table_path: Path, pictures: Sequence[Path]
) -> None:
    """`draw_figure` writes the table (.csv) and the pictures (.png, .svg) of one figure."""
    figure_module = import_module(f"minima.findings.figures.{kind}")
    with xr.open_datatree(dataset, engine="netcdf4") as tree:
        table = figure_module.tabulate(tree, *blocks)
    write_text(table.to_csv(index=False, float_format="%.10g"), table_path)
    with styled():
        figure = figure_module.draw(read_table(table_path))
        for path in pictures:
            save(figure, path)


def read_table(path: Path) -> pd.DataFrame:
    """`read_table` returns a figure's table as it was before it was written to CSV: an empty entry is "" in a
    column of words and NaN in a column of numbers.

    Numbers are in the columns whose entries all are, but for empty ones; a column of nothing else is words,
    but for those that always are numbers.
    """
    table = pd.read_csv(path, keep_default_na=False, na_values={})
    for column in table:
        numbers = pd.to_numeric(table[column], errors="coerce")
        empty = table[column].astype(str) == ""
        if column in NUMBERS or (not empty.all() and (numbers.notna() | empty).all()):
            table[column] = numbers
    return table
