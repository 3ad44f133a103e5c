"""Targets as files hold them: numbers to be fitted, or classes, which are whole numbers or words."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.data.pool import DataError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from numpy import ndarray

    from minima.plan.recipes import Recipe


def targets_of(
    recipe: Recipe, where: str, named: Mapping[str, ndarray]
) -> tuple[list[ndarray], tuple[str, ...]]:
    """`targets_of` returns the targets of each part of a file, numbers [rows, …] or labels of classes [rows],
    and what the labels are called where the classes are words: label 0 is the first in alphabetical order
    over all parts. `named` has the parts by what messages call them."""
    import numpy as np

    parts = {name: _plain(where, name, np.asarray(y)) for name, y in named.items()}
    if numbers := _numbers(parts.values()):
        for name, y in zip(parts, numbers, strict=True):
            refuse_gaps(where, name, y)
        classes = recipe.labels != "value" or recipe.classes is not None
        parts = dict(zip(parts, numbers, strict=True))
        return [_labels(where, name, y) if classes else y for name, y in parts.items()], ()
    texts = {name: np.char.strip(y.astype(str)) for name, y in parts.items()}
    for name, y in texts.items():
        if recipe.labels == "value":
            held = ", ".join(np.unique(y)[:3].tolist())
            raise DataError(f"{where}: {name} holds words ({held} …): use labels: sign or labels: onehot")
        if (empty := np.flatnonzero(y.ravel() == "")).size or y.size != len(y):
            what = f"no word in row {empty[0] + 1}" if empty.size else "several words per row"
            raise DataError(f"{where}: {name} must hold one word per row, its class, and has {what}.")
    words = np.unique(np.concatenate([y.ravel() for y in texts.values()]))
    return [np.searchsorted(words, y.ravel()) for y in texts.values()], tuple(words.tolist())


def _plain(where: str, name: str, y: ndarray) -> ndarray:
    """`_plain` returns targets as numbers or as text."""
    import numpy as np

    if y.size == 0 or y.ndim == 0:
        raise DataError(f"{where}: {name} has no rows.")
    if y.dtype.kind == "S":
        return np.char.decode(y, "utf-8")
    if y.dtype.kind in {"O", "T"} and all(isinstance(one, str | int | float) for one in y.ravel()):
        return y.astype(str)
    if y.dtype.kind not in "buifU":
        held = type(y.ravel()[0]).__name__ if y.dtype.kind == "O" else y.dtype
        raise DataError(f"{where}: {name} must hold real numbers or words, not {held}.")
    return y


def _numbers(parts: Iterable[ndarray]) -> list[ndarray]:
    """`_numbers` returns the parts as float64, or none where one of them holds words."""
    import numpy as np

    try:
        return [y.astype(np.float64) for y in parts]
    except ValueError:
        return []


def refuse_gaps(where: str, name: str, rows: ndarray) -> None:
    """`refuse_gaps` raises `DataError` where a number is missing or infinite."""
    import numpy as np

    if not (finite := np.isfinite(rows)).all():
        first = f"the first in row {np.argwhere(~finite)[0, 0] + 1}"
        raise DataError(f"{where}: {name} has missing or infinite values, {first}. Fill or drop these rows.")


def _labels(where: str, name: str, y: ndarray) -> ndarray:
    import numpy as np

    if y.size != len(y) or not np.array_equal(y, np.round(y)):
        raise DataError(
            f"{where}: {name} must hold one whole number or word per row, its class, or use labels: value."
        )
    return y.ravel().astype(np.int64)
