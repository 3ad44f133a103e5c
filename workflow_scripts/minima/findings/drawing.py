"""A study's figures from its dataset: the table of each, then its picture drawn from the table alone.

Hence a picture is known before it is drawn, by its table and the code that draws it: those of the last run
are kept under that name, and what has not changed is copied. All figures of a study are one job's, for to
start takes as long as to draw one; an edit of one still draws this one alone.
"""

import logging
import shutil
from collections.abc import Iterable, Mapping, Sequence
from importlib import import_module
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import xarray as xr

from minima.atomic import replacing, write_text
from minima.findings.style import save, styled
from minima.plan.digest import digest

NUMBERS = {
    "x",
    "estimate",
    "low",
    "high",
    "new_low",
    "new_high",
    "spread",
    "cost",
    "lead",
}  # even where all of them are empty
PICTURES = ("png", "svg")

logger = logging.getLogger("minima")


def draw_figures(
    figures: Mapping[str, Sequence[str]], code: Mapping[str, str], dataset: Path, folder: Path, drawings: Path
) -> None:
    """`draw_figures` writes table (.csv) and pictures (.png, .svg) of every figure into `folder`.

    Name → module and blocks, name → digest of the code. `drawings` holds the pictures of the last run.
    """
    folder.mkdir(parents=True, exist_ok=True)
    drawings.mkdir(parents=True, exist_ok=True)
    used = set()
    with xr.open_datatree(dataset, engine="netcdf4") as tree:
        for name, (module, *blocks) in figures.items():
            table = folder / f"{name}.csv"
            write_table(module, blocks, tree, table)
            made_of = f"{code[name]} {version('matplotlib')} {table.read_text(encoding='utf-8')}"
            kept = [drawings / f"{name}_{digest(made_of)}.{suffix}" for suffix in PICTURES]
            if not all(path.exists() for path in kept):
                draw(module, table, kept)
                logger.info("drew %s", name)
            for path, suffix in zip(kept, PICTURES, strict=True):
                with replacing(folder / f"{name}.{suffix}") as copy:  # a page so far shows whole pictures
                    shutil.copyfile(path, copy)
            used |= set(kept)
    for path in set(drawings.iterdir()) - used:
        path.unlink()


def write_table(module: str, blocks: Iterable[str], tree: xr.DataTree, path: Path) -> None:
    """`write_table` writes the numbers that a figure of these blocks is drawn from."""
    write_csv(import_module(module).tabulate(tree, *blocks), path)


def write_csv(table: pd.DataFrame, path: Path) -> None:
    """`write_csv` writes a figure's table, of every number ten digits."""
    write_text(table.to_csv(index=False, float_format="%.10g"), path)


def draw(module: str, table: Path, pictures: Iterable[Path]) -> None:
    """`draw` writes the pictures of a figure, drawn from its written table."""
    with styled():
        figure = import_module(module).draw(read_table(table))
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
