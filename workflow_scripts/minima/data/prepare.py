"""From a recipe to one dataset of prepared splits."""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from pydantic import TypeAdapter

from minima.data.confusion import confused
from minima.data.exact import orthonormalized, product
from minima.data.pool import DataError, Pool
from minima.data.sources import DRAWN, load_pool
from minima.plan.recipes import DataRecipe, Recipe
from minima.streams import stream

ARRAYS = ("x_train", "y_train", "x_test", "y_test")
DIGESTED_AT_ONCE = 1000  # rows
LONG_NAMES = {
    "x_train": "inputs of the training rows",
    "y_train": "targets of the training rows",
    "x_test": "inputs of the test rows",
    "y_test": "targets of the test rows",
    "label_train": "class of the training rows, after label noise and confusion",
    "label_test": "class of the test rows",
    "digest": "sha256 of names, shapes and bytes of x_train, y_train, x_test and y_test",
}
_RECIPE: TypeAdapter[Recipe] = TypeAdapter(DataRecipe)


def prepare(recipe: Mapping[str, Any], splits: Sequence[int], data_dir: str | Path) -> xr.Dataset:
    """The splits of a recipe: x_* [split, rows, feature], y_* [split, rows, output], label_* and digest.

    A split is drawn from its own number alone: it is the same in every file that holds it. Its training
    rows do not depend on `test_size`, nor its test rows on `train_size`.
    """
    checked = _RECIPE.validate_python(dict(recipe))
    if len(splits) == 0 or len(set(splits)) < len(splits):
        raise DataError(f"splits must be different numbers, at least one: {list(splits)}")
    if draw := DRAWN.get(type(checked)):
        pools = {split: draw(checked, split) for split in splits}
    else:
        pools = dict.fromkeys(splits, load_pool(checked, Path(data_dir)))
    pool = pools[splits[0]]
    classes = _classes(checked, pool)
    drawn = [_split(checked, pools[split], classes, split) for split in splits]
    return _dataset(checked, pool, classes, splits, drawn)


def array_digest(arrays: Mapping[str, np.ndarray]) -> str:
    """sha256 of the names, shapes and float64 bytes of `ARRAYS`: part of the key of every trained cell."""
    digest = hashlib.sha256()
    for name in ARRAYS:
        digest.update(f"{name}{list(arrays[name].shape)}".encode())
        for rows in np.array_split(arrays[name], len(arrays[name]) // DIGESTED_AT_ONCE + 1):
            digest.update(np.ascontiguousarray(rows, dtype="<f8"))
    return digest.hexdigest()


def _classes(recipe: Recipe, pool: Pool) -> list[int] | None:
    """The classes in the order of their targets, or None for real targets."""
    if not pool.has_classes:
        return None
    held = np.unique(pool.y).tolist()
    classes = recipe.classes or held
    if strangers := [c for c in classes if c not in held]:
        raise DataError(
            f"{_name(recipe)} has no class {', '.join(map(str, strangers))}: its classes are {held}"
        )
    if len(classes) < 2 or (recipe.labels == "sign" and len(classes) != 2):
        wanted = "exactly two classes" if recipe.labels == "sign" else "at least two classes"
        raise DataError(f"{_name(recipe)}: labels: {recipe.labels} needs {wanted} and there are {classes}")
    return classes


def _split(recipe: Recipe, pool: Pool, classes: list[int] | None, split: int) -> dict[str, np.ndarray]:
    """The arrays of one split by name."""
    if type(recipe) in DRAWN:  # to measure
        train, test = np.arange(recipe.train_size), np.arange(recipe.test_size)
    else:
        train, test = _draw_rows(recipe, pool, classes, split)
    shared = pool.test_x is None
    x_train, y_train = np.asarray(pool.x[train], np.float64), pool.y[train]
    x_test = np.asarray((pool.x if shared else pool.test_x)[test], np.float64)
    y_test = (pool.y if shared else pool.test_y)[test]
    arrays = {}
    normalize = _normalization(recipe, x_train, pool.shape)  # of the rows as they are, whatever is trained on
    if classes is not None:
        y_train = _with_label_noise(y_train, classes, recipe.label_noise, split)
        if recipe.confusion is not None:
            x_train, y_train = _confusion_set(recipe, x_train, y_train, classes, normalize, split)
        arrays = {"label_train": y_train, "label_test": y_test}
        y_train, y_test = (_encode(y, classes, recipe.labels) for y in (y_train, y_test))
    x_train, x_test = x_train if recipe.confusion else normalize(x_train), normalize(x_test)
    arrays |= {"x_train": x_train, "y_train": y_train, "x_test": x_test, "y_test": y_test}
    return arrays | {"digest": np.array(array_digest(arrays))}


def _confusion_set(
    recipe: Recipe,
    x: np.ndarray,
    y: np.ndarray,
    classes: list[int],
    normalize: Callable[[np.ndarray], np.ndarray],
    split: int,
) -> tuple[np.ndarray, np.ndarray]:
    """All copies of the rows x, normalized one copy at a time, and their labels. In single precision, in
    which networks fit them: 10 copies of 50,000 CIFAR images are 6.1 GB."""
    rows, features = x.shape
    copies = recipe.confusion.copies
    found = np.empty((copies * rows, features), np.float32)
    labels = np.empty(copies * rows, np.int64)
    for number, (copy, drawn) in enumerate(confused(x, y, classes, recipe.confusion, split)):
        place = slice(number * rows, (number + 1) * rows)
        found[place], labels[place] = normalize(copy), drawn
    return found, labels


def _draw_rows(
    recipe: Recipe, pool: Pool, classes: list[int] | None, split: int
) -> tuple[np.ndarray, np.ndarray]:
    """Training and test rows, uniformly and without replacement from the rows of the chosen classes."""

    def candidates(y: np.ndarray) -> np.ndarray:
        return np.arange(len(y)) if classes is None else np.flatnonzero(np.isin(y, classes))

    draw = stream(split, "split")
    order = draw.permutation(candidates(pool.y))
    shared = pool.test_y is None
    # From the far end of a shared pool, so that test rows stay as training rows are added.
    test_order = order[::-1] if shared else draw.permutation(candidates(pool.test_y))
    left = len(order) - recipe.train_size if shared else len(test_order)
    if recipe.train_size > len(order):
        raise DataError(f"{_name(recipe)}: train_size {recipe.train_size} is more than its {len(order)} rows")
    if recipe.test_size > left:
        raise DataError(
            f"{_name(recipe)}: test_size {recipe.test_size} is more than the {left} rows left for it"
        )
    return order[: recipe.train_size], test_order[: recipe.test_size]


def _with_label_noise(labels: np.ndarray, classes: list[int], fraction: float, split: int) -> np.ndarray:
    """Labels [rows] with a fraction moved to another class. More noise keeps the labels moved by less."""
    draw = stream(split, "label_noise")
    moved = draw.permutation(len(labels))[: round(fraction * len(labels))]
    shift = draw.integers(1, len(classes), size=len(labels))
    position = _positions(labels, classes)
    noisy = labels.copy()
    noisy[moved] = np.array(classes)[(position + shift)[moved] % len(classes)]
    return noisy


def _positions(labels: np.ndarray, classes: list[int]) -> np.ndarray:
    """Of each label in `classes` [rows]."""
    ascending = np.argsort(classes)
    return ascending[np.searchsorted(np.array(classes), labels, sorter=ascending)]


def _encode(labels: np.ndarray, classes: list[int], coding: str) -> np.ndarray:
    """Targets [rows, output] of class labels."""
    position = _positions(labels, classes)
    if coding == "onehot":
        return np.eye(len(classes))[position]
    return (2.0 * position - 1.0 if coding == "sign" else labels.astype(np.float64))[:, None]


def _normalization(
    recipe: Recipe, x_train: np.ndarray, shape: tuple[int, ...]
) -> Callable[[np.ndarray], np.ndarray]:
    """What is done to rows [rows, features]; it learns from the training rows alone."""
    how = recipe.normalize
    if how == "none":
        return lambda x: x
    if how == "range":
        return lambda x: x / recipe.facts.largest
    if how in ("standardize", "channels"):
        columns = x_train if how == "standardize" else x_train.reshape(len(x_train), shape[0], -1)
        axes = 0 if how == "standardize" else (0, 2)
        # not std > 0: the mean of equal numbers can miss them by a bit
        varies = np.ptp(columns, axis=axes) > 0
        mean, deviation = columns.mean(axis=axes), np.where(varies, columns.std(axis=axes), 1.0)
        repeats = x_train.shape[1] // len(mean)
        varies, mean, deviation = (np.repeat(each, repeats) for each in (varies, mean, deviation))
        return lambda x: np.where(varies, (x - mean) / deviation, 0.0)
    if how == "whiten":
        return _whitening(x_train, _name(recipe))
    length = np.sqrt(x_train.shape[1]) if how == "sphere" else 1.0

    def onto_sphere(x: np.ndarray) -> np.ndarray:
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        if (norms == 0).any():
            name = _name(recipe)
            raise DataError(f"{name}: a row of zeros has no direction: use normalize: standardize or none")
        return x * (length / norms)

    return onto_sphere


def _whitening(x_train: np.ndarray, name: str) -> Callable[[np.ndarray], np.ndarray]:
    """The map x ↦ x Φ1 Σ^{−½} Φ1ᵀ + x Φ2 Φ2ᵀ/s of X = W Σ^{½} Φ1ᵀ: what the training rows do not span is
    divided by the root mean square s of their singular values."""
    if np.linalg.matrix_rank(x_train) < len(x_train):
        raise DataError(f"{name}: normalize: whiten needs training rows that are linearly independent")
    rows, inverse_root = orthonormalized(x_train)  # W Φ1ᵀ and W Σ^{−½} Wᵀ
    s = np.sqrt(np.square(x_train).sum() / len(x_train))

    def whiten(x: np.ndarray) -> np.ndarray:
        if x is x_train:
            return rows  # orthonormal to the last bit
        seen = product(x, rows.T)
        return product(product(seen, inverse_root), rows) + (x - product(seen, rows)) / s

    return whiten


def _name(recipe: Recipe) -> str:
    return recipe.path if recipe.source == "file" else recipe.source


def _dataset(
    recipe: Recipe,
    pool: Pool,
    classes: list[int] | None,
    splits: Sequence[int],
    drawn: Sequence[Mapping[str, np.ndarray]],
) -> xr.Dataset:
    variables = {}
    for name in (name for name in LONG_NAMES if name in drawn[0]):
        part = name.removeprefix("x_").removeprefix("y_").removeprefix("label_")
        dims = {"x": ("split", part, "feature"), "y": ("split", part, "output"), "l": ("split", part)}
        attributes = {"long_name": LONG_NAMES[name]} | ({} if name == "digest" else {"units": "1"})
        if name.startswith("x_"):
            attributes["row_shape"] = np.array(pool.shape)  # flattened to `feature`
        if name.startswith("y_") and classes is not None:
            attributes |= {"coding": recipe.labels, "classes": np.array(classes)}
        values = np.stack([arrays[name] for arrays in drawn]) if len(drawn) > 1 else drawn[0][name][None]
        variables[name] = (dims.get(name[0], ("split",)), values, attributes)
    facts = recipe.facts
    return xr.Dataset(
        variables,
        coords={"split": ("split", np.array(splits, np.int64), {"long_name": "number of the split"})},
        attrs={
            "title": f"{facts.title}, prepared for training",
            "source": facts.origin,
            "licence": facts.licence,
            "source_sha256": json.dumps(pool.sha256, sort_keys=True),
            "recipe": json.dumps(recipe.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
            "Conventions": "CF-1.11",
        },
    )
