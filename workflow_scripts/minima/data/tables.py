"""Tables with named columns, as CSV and Parquet files and OpenML have them: inputs and a target."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Any, TextIO

from minima.data.pool import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from numpy import ndarray
    from pandas import DataFrame, Series

SEPARATORS = {"comma": ",", "semicolon": ";", "tab": "\t", "space": " "}
GUESSED = ["comma", "semicolon", "tab"]  # a name has them within quotes alone
MISSING = ["", "?", "-", "NA", "N/A", "n/a", "<NA>", "nan", "NaN", "NAN", "null", "NULL", "None"]
SHOWN = 5  # of what is wrong


def header(file: TextIO, separator: str | None, where: str) -> tuple[list[str], str]:
    """`header` returns the names of a CSV file's columns and what separates them, in a word; the file is left
    where its rows begin."""
    words = GUESSED if separator is None else [separator]
    fits = [word for word in words if len(_first_line(file, word)) > 1] or words[:1]
    if len(fits) > 1:
        raise DataError(
            f"{where}: {' and '.join(fits)} both occur in the first line: say which one separates the "
            f"columns, as in separator: {fits[-1]}"
        )
    return _first_line(file, fits[0]), fits[0]


def _first_line(file: TextIO, word: str) -> list[str]:
    file.seek(0)
    names = next(csv.reader(file, delimiter=SEPARATORS[word], skipinitialspace=True), [])
    return [name.strip() for name in names if name or word != "space"]


def read_csv(path: Path, separator: str | None, decimal: str, target: str | None) -> DataFrame:
    """`read_csv` returns the table of a CSV file, its numbers as close as float64 comes to them."""
    import pandas as pd

    with path.open(encoding="utf-8-sig", newline="") as file:
        names, word = header(file, separator, str(path))
        if not names or (all(map(_is_number, names)) and names != [str(i) for i in range(len(names))]):
            raise DataError(f"{path}: the first line must name the columns.")
        if len(names) < 2 or len(set(names)) < len(names):
            raise DataError(f"{path} needs at least two columns with different names, and has {names}.")
        goal = names[-1] if target is None else target
        try:
            table = pd.read_csv(
                file,
                sep=r"\s+" if word == "space" else SEPARATORS[word],
                decimal={"point": ".", "comma": ","}[decimal],
                header=None,
                names=names,
                keep_default_na=False,
                na_values={name: [""] if name == goal else MISSING for name in names},  # NA may be a class
                skipinitialspace=True,
                low_memory=False,
            )
        except pd.errors.ParserError as error:
            if found := re.search(r"in line (\d+), saw (\d+)", str(error)):
                row, cells = found.groups()
                raise DataError(f"{path} names {len(names)} columns and its row {row} has {cells}.") from None
            raise
    if (more := table.index.nlevels) and not isinstance(table.index, pd.RangeIndex):
        raise DataError(f"{path} names {len(names)} columns and its rows have {len(names) + more}.")
    return table


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def read_parquet(path: Path) -> DataFrame:
    """`read_parquet` returns the table of a Parquet file; pyarrow, which reads it, unpickles nothing."""
    import pandas as pd

    try:
        return pd.read_parquet(path, engine="pyarrow")
    except ImportError as error:
        raise DataError(
            f"{path}: Parquet files need pyarrow, which is not installed ({error}). Install it "
            "(.venv/bin/python -m pip install pyarrow), or write the table as .csv or .npz."
        ) from None


def inputs_and_target(
    table: DataFrame, where: str, columns: Sequence[str] | None, target: str | None
) -> tuple[ndarray, ndarray]:
    """`inputs_and_target` returns the columns asked for, in their order, as numbers [rows, features], and the
    target [rows]: numbers, or words as objects."""
    import numpy as np

    names = [str(name) for name in table.columns]
    table = table.set_axis(names, axis=1)
    goal = names[-1] if target is None else target
    chosen = [name for name in names if name != goal] if columns is None else [*columns]
    if strangers := [name for name in (*chosen, goal) if name not in names]:
        raise DataError(f"{where} has no column {', '.join(strangers)}: it holds {', '.join(names)}.")
    if goal in chosen:
        raise DataError(
            f"{where}: {goal} is the target and one of columns: leave it out there, or name another target"
        )
    if columns is None and "" in chosen:
        raise DataError(
            f"{where}: column {names.index('') + 1} has no name, as the index that pandas writes: write the "
            "file without it (index=False), or list the inputs in columns"
        )
    _refuse_words(table, where, chosen)
    x = np.column_stack([_numbers(table[name]) for name in chosen]) if chosen else np.empty((len(table), 0))
    _refuse_gaps(~np.isfinite(x), where, chosen, ", or leave the column out by columns")
    y = table[goal]
    _refuse_gaps(y.isna().to_numpy()[:, None], where, [goal], "")
    return x, _numbers(y) if _is_numeric(y) else y.astype(object).to_numpy()


def _numbers(column: Series) -> ndarray:
    import numpy as np

    return column.to_numpy(np.float64, na_value=np.nan)


def _is_numeric(column: Series) -> bool:
    """`_is_numeric` returns whether a column holds real numbers, or nothing at all."""
    from pandas.api import types

    if types.is_object_dtype(column.dtype):  # among others whole numbers of more than 64 bits
        return all(isinstance(value, int | float) for value in column.dropna())
    return bool(
        (types.is_numeric_dtype(column.dtype) and not types.is_complex_dtype(column.dtype))
        or (types.is_string_dtype(column.dtype) and column.isna().all())
    )


def _refuse_words(table: DataFrame, where: str, chosen: Sequence[str]) -> None:
    """`_refuse_words` raises `DataError` where a column among the inputs holds no numbers."""
    wrong = {name: _no_number(table[name]) for name in chosen if not _is_numeric(table[name])}
    if not wrong:
        return
    left = [name for name in chosen if name not in wrong]
    shown = left if len(left) <= 2 * SHOWN else [*left[:SHOWN], "…"]
    mend = f"columns: [{', '.join(shown)}]" if left else "columns"
    decimal = any(re.fullmatch(r"-?\d*,\d+", str(value)) for value, _ in wrong.values())
    told = _few(f"column {name} holds {value!r} in row {row}" for name, (value, row) in wrong.items())
    or_else = ", or say decimal: comma" if decimal else ""
    raise DataError(
        f"{where}: inputs are numbers, and {told}. Leave out what holds words ({mend}), or write numbers in "
        f"their place{or_else}"
    )


def _no_number(column: Series) -> tuple[Any, int]:
    """`_no_number` returns the first value of a column that is no number, and its row, from 1."""
    import pandas as pd

    values = column.astype(object)
    known = values.notna().to_numpy()
    wrong = known & pd.to_numeric(values.where(known, None), errors="coerce").isna().to_numpy()
    place = int((wrong if wrong.any() else known).argmax())
    return values.iloc[place], place + 1


def _refuse_gaps(gaps: ndarray, where: str, names: Sequence[str], or_else: str) -> None:
    """`_refuse_gaps` raises `DataError` where values are missing or infinite, with their rows and columns."""
    import numpy as np

    if gaps.any():
        places = np.argwhere(gaps).tolist()
        told = _few(f"row {row + 1}, column {names[place]}" for row, place in places)
        raise DataError(f"{where} has missing or infinite values: {told}. Fill or drop these rows{or_else}.")


def _few(told: Iterable[str]) -> str:
    """`_few` returns the first of what is told, and how many there are beside."""
    every = [*told]
    more = f" and {len(every) - SHOWN} more" if len(every) > SHOWN else ""
    return "; ".join(every[:SHOWN]) + more
