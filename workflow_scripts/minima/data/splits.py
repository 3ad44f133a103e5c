"""From a recipe to its splits: rows drawn, labelled and normalized."""

import json
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache, partial
from importlib import import_module
from math import prod
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import numpy as np

from minima.data.exact import orthonormalized, product
from minima.data.pool import DataError, Pool
from minima.data.prepared import ARRAYS, LONG_NAMES, Blocks, Layout, Prepared, slices, whole
from minima.streams import stream

if TYPE_CHECKING:
    from minima.plan.recipes import Recipe

Normalization = Callable[[np.ndarray], np.ndarray]  # of rows in float64


def splits_of(recipe: "Recipe", splits: Sequence[int], data_dir: str | Path) -> Prepared:
    """`splits_of` returns the splits of a recipe, yet to be made.

    A split is drawn from its own number alone: it is the same in every file that holds it. Its training
    rows do not depend on `test_size`, nor its test rows on `train_size`.
    """
    if len(splits) == 0 or len(set(splits)) < len(splits):
        raise DataError(f"splits must be different numbers, at least one: {list(splits)}")
    source = import_module(f"minima.data.sources.{recipe.source}")
    drawn = hasattr(source, "draw")  # anew for every split, exactly the rows that are wanted
    pool = source.draw(recipe, splits[0]) if drawn else source.load(recipe, Path(data_dir))
    classes = _classes(recipe, pool)

    @lru_cache(maxsize=1)  # the first one is asked for its shapes before it is made
    def draw(split: int) -> dict[str, Blocks]:
        rows = (
            _as_asked(recipe, source.draw(recipe, split)) if drawn else _chosen(recipe, pool, classes, split)
        )
        return _split(recipe, rows, classes, split)

    variables = {
        name: Layout(_dims(name), blocks.shape, blocks.dtype, _attributes(name, recipe, pool, classes))
        for name, blocks in draw(splits[0]).items()
    }
    return Prepared(tuple(splits), variables, _facts(recipe, pool), draw)


def _confusion() -> ModuleType:
    """`_confusion` returns the module of confusion sets, by name: recipes without one do not use its code."""
    return import_module("minima.data.confusion")


def _classes(recipe: "Recipe", pool: Pool) -> list[int] | None:
    """`_classes` returns the labels of the classes in the order of their targets, or None for real
    targets."""
    if not pool.has_classes:
        return None
    labels = [*pool.classes] or np.unique(pool.y).tolist()
    held = dict(zip(pool.called(labels), labels, strict=True))
    classes = recipe.classes or [*held]
    if strangers := [c for c in classes if c not in held]:
        names = ", ".join(map(str, strangers))
        hint = " (YAML takes yes and no for true and false: quote them)" if "true" in strangers else ""
        raise DataError(f"{recipe.where()} has no class {names}: its classes are {[*held]}{hint}")
    if len(classes) < 2 or (recipe.labels == "sign" and len(classes) != 2):
        wanted = "exactly two classes" if recipe.labels == "sign" else "at least two classes"
        mend = f": name two, as in classes: {classes[:2]}, or use labels: onehot" if len(classes) > 2 else ""
        raise DataError(
            f"{recipe.where()}: labels: {recipe.labels} needs {wanted} and there are {classes}{mend}"
        )
    return [held[c] for c in classes]


def _chosen(recipe: "Recipe", pool: Pool, classes: list[int] | None, split: int) -> Pool:
    """`_chosen` returns the training and test rows of a split, drawn uniformly and without replacement from
    those of the chosen classes."""

    def candidates(y: np.ndarray) -> np.ndarray:
        return np.arange(len(y)) if classes is None else np.flatnonzero(np.isin(y, classes))

    draw = stream(split, "split")
    order = draw.permutation(candidates(pool.y))
    if pool.test_x is None:
        test_x, test_y = pool.x, pool.y
        # From the far end of a shared pool, so that test rows stay as training rows are added.
        test_order, left = order[::-1], len(order) - recipe.train_size
    else:
        test_x, test_y = pool.test_x, pool.test_y
        test_order = draw.permutation(candidates(test_y))
        left = len(test_order)
    where, train, test = recipe.where(), recipe.train_size, recipe.test_size
    if train > len(order):
        raise DataError(f"{where}: train_size {train} is more than its {len(order)} rows")
    if test > left:
        raise DataError(f"{where}: test_size {test} is more than the {left} rows left for it")
    rows, test_rows = order[:train], test_order[:test]
    return Pool(pool.x[rows], pool.y[rows], test_x[test_rows], test_y[test_rows])


def _as_asked(recipe: "Recipe", rows: Pool) -> Pool:
    """`_as_asked` returns the rows that a source drew, which must be those that the recipe asks for."""
    asked = {
        "training": (rows.x, rows.y, recipe.train_size),
        "test": (rows.test_x, rows.test_y, recipe.test_size),
    }
    for kind, (x, y, size) in asked.items():
        drawn = [0 if part is None else len(part) for part in (x, y)]
        if drawn != [size, size]:
            told = f"{drawn[0]} {kind} rows with {drawn[1]} targets"
            raise DataError(f"{recipe.source}: draw returned {told}, and {size} are asked for")
    return rows


def _split(recipe: "Recipe", rows: Pool, classes: list[int] | None, split: int) -> dict[str, Blocks]:
    """`_split` returns the arrays of one split by name, those of `ARRAYS` first."""
    x_train, x_test = _flat(rows.x), _flat(rows.test_x)
    # of the rows as they are, whatever is trained on
    normalize = _normalization(recipe, x_train, _input_shape(recipe, rows))

    def inputs(x: np.ndarray) -> np.ndarray:  # float64 only here: a pool of bytes stays small
        return normalize(x.astype(np.float64))

    train_inputs, test_inputs = (_in_blocks(x, x.shape[1], inputs) for x in (x_train, x_test))
    if classes is None:
        y_train, labels, outputs, encode = rows.y, {}, rows.y[:1].size, _numbers
    else:
        y_train = _with_label_noise(rows.y, classes, recipe.label_noise, split)
        if recipe.confusion is not None:
            train_inputs = _confusion_set(recipe, x_train, normalize, split)
            y_train = _confusion().labels_of_copies(y_train, classes, recipe.confusion, split)
        labels = {"label_train": whole(y_train), "label_test": whole(rows.test_y)}
        outputs = len(classes) if recipe.labels == "onehot" else 1
        encode = partial(_encode, classes=classes, coding=recipe.labels)
    units = _standardization(encode(y_train), outputs) if recipe.standardize_targets else _as_they_are
    targets = [_in_blocks(y, outputs, lambda some: units(encode(some))) for y in (y_train, rows.test_y)]
    return dict(zip(ARRAYS, (train_inputs, targets[0], test_inputs, targets[1]), strict=True)) | labels


def _input_shape(recipe: "Recipe", pool: Pool) -> tuple[int, ...]:
    """`_input_shape` returns the shape of a row as networks get it: the one that the recipe asks for."""
    if recipe.shape is None:
        return pool.row_shape
    if prod(recipe.shape) != prod(pool.row_shape):
        numbers = f"shape {recipe.shape} has {prod(recipe.shape)} numbers"
        raise DataError(f"{recipe.where()}: {numbers}, and a row has the shape {pool.row_shape}")
    return tuple(recipe.shape)


def _flat(rows: np.ndarray) -> np.ndarray:
    """`_flat` returns rows [rows, numbers]."""
    return rows.reshape(len(rows), -1)


def _numbers(targets: np.ndarray) -> np.ndarray:
    """`_numbers` returns real targets [rows, output] in float64."""
    return _flat(targets).astype(np.float64)


def _as_they_are(rows: np.ndarray) -> np.ndarray:
    """`_as_they_are` returns the rows."""
    return rows


def _in_blocks(rows: np.ndarray, columns: int, change: Callable[[np.ndarray], np.ndarray]) -> Blocks:
    """`_in_blocks` returns the rows, each changed into a row of so many columns in float64."""

    def make() -> Iterator[np.ndarray]:
        return (change(rows[place]) for place in slices(len(rows)))

    return Blocks((len(rows), columns), np.dtype(np.float64), make)


def _confusion_set(recipe: "Recipe", x: np.ndarray, normalize: Normalization, split: int) -> Blocks:
    """`_confusion_set` returns all copies of the rows x, normalized. In single precision, in which networks
    fit them: 10 copies of 50,000 CIFAR images are 6.1 GB."""

    def make() -> Iterator[np.ndarray]:
        for rows in _confusion().damaged(x, recipe.confusion, split):
            yield normalize(rows).astype(np.float32)

    return Blocks((recipe.confusion.copies * len(x), x.shape[1]), np.dtype(np.float32), make)


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


def _normalization(recipe: "Recipe", x_train: np.ndarray, shape: tuple[int, ...]) -> Normalization:
    """What is done to rows [rows, features]; it learns from the training rows alone."""
    how = recipe.normalize
    if how == "none":
        return _as_they_are
    if how == "range":
        return lambda x: x / recipe.facts.largest
    if how == "centre":
        return _centring(x_train, recipe.facts.largest or 1.0)
    if how == "channels" and len(shape) != 3:
        raise DataError(
            f"{recipe.where()}: normalize: channels needs images, and a row has the shape {shape}"
        )
    if how in ("standardize", "channels"):
        return _standardization(x_train, x_train.shape[1] if how == "standardize" else shape[0])
    if how == "whiten":
        return _whitening(x_train.astype(np.float64), recipe.where())
    length = np.sqrt(x_train.shape[1]) if how == "sphere" else 1.0

    def onto_sphere(x: np.ndarray) -> np.ndarray:
        norms = np.linalg.norm(x, axis=1, keepdims=True)
        if (norms == 0).any():
            name = recipe.where()
            raise DataError(f"{name}: a row of zeros has no direction: use normalize: standardize or none")
        return x * (length / norms)

    return onto_sphere


def _standardization(x: np.ndarray, channels: int) -> Normalization:
    """`_standardization` returns the map that gives the rows x mean 0 and standard deviation 1 in every
    channel."""
    varies, mean, deviation = _moments(x, channels)
    return lambda x: np.where(varies, (x - mean) / deviation, 0.0)


def _centring(x: np.ndarray, largest: float) -> Normalization:
    """`_centring` returns the map that takes the mean of the rows x off, in units of the largest value. A
    feature that does not vary becomes 0 to the last bit."""
    varies, mean, _ = _moments(x, x.shape[1])
    middle = np.where(varies, mean, x[0])
    return lambda x: (x - middle) / largest


def _moments(x: np.ndarray, channels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`_moments` returns for every feature whether its channel varies over the rows, and the channel's mean
    and standard deviation (1 where it does not vary)."""

    def over_rows(reduce: np.ufunc, of: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
        parts = (x[place].astype(np.float64).reshape(-1, channels, each) for place in slices(len(x)))
        return reduce.reduce([reduce.reduce(of(part), axis=(0, 2)) for part in parts])[:, None]

    each = x.shape[1] // channels
    count = len(x) * each
    # not deviation > 0: the mean of equal numbers can miss them by a bit
    varies = over_rows(np.maximum, np.asarray) > over_rows(np.minimum, np.asarray)
    mean = over_rows(np.add, np.asarray) / count
    deviation = np.where(varies, np.sqrt(over_rows(np.add, lambda part: (part - mean) ** 2) / count), 1.0)
    return tuple(np.repeat(one, each) for one in (varies, mean, deviation))


def _whitening(x_train: np.ndarray, name: str) -> Normalization:
    """The map x ↦ x Φ1 Σ^{−½} Φ1ᵀ + x Φ2 Φ2ᵀ/s of X = W Σ^{½} Φ1ᵀ: what the training rows do not span is
    divided by the root mean square s of their singular values."""
    if np.linalg.matrix_rank(x_train) < len(x_train):
        raise DataError(f"{name}: normalize: whiten needs training rows that are linearly independent")
    rows, inverse_root = orthonormalized(x_train)  # W Φ1ᵀ and W Σ^{−½} Wᵀ
    s = np.sqrt(np.square(x_train).sum() / len(x_train))

    def whiten(x: np.ndarray) -> np.ndarray:
        if np.array_equal(x, x_train):
            return rows  # orthonormal to the last bit
        seen = product(x, rows.T)
        return product(product(seen, inverse_root), rows) + (x - product(seen, rows)) / s

    return whiten


def _dims(name: str) -> tuple[str, ...]:
    kind, part = name.split("_")
    return ("split", part, *{"x": ("feature",), "y": ("output",), "label": ()}[kind])


def _attributes(name: str, recipe: "Recipe", pool: Pool, classes: list[int] | None) -> dict[str, Any]:
    attributes: dict[str, Any] = {"long_name": LONG_NAMES[name], "units": "1"}
    if name.startswith("x_"):
        attributes["row_shape"] = np.array(_input_shape(recipe, pool))  # flattened to `feature`
    if name.startswith("y_") and classes is not None:
        attributes |= {"coding": recipe.labels, "classes": np.array(classes)}
    if not name.startswith("x_") and pool.words:
        named = dict(zip(classes, pool.called(classes), strict=True))
        attributes["words"] = json.dumps(named, ensure_ascii=False)  # label → class
    return attributes


def _facts(recipe: "Recipe", pool: Pool) -> dict[str, str]:
    """`_facts` returns the attributes of the file."""
    return {
        "title": f"{recipe.facts.title}, prepared for training",
        "source": recipe.facts.origin,
        "licence": recipe.facts.licence,
        "source_sha256": json.dumps(pool.sha256, sort_keys=True),
        "recipe": json.dumps(recipe.model_dump(mode="json"), sort_keys=True, separators=(",", ":")),
        "Conventions": "CF-1.11",
    } | pool.facts
