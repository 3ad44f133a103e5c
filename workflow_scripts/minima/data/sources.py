"""A loader per source: from a recipe to the rows it can draw from."""

from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np

from minima.data.cifar import SHAPE, read_cifar
from minima.data.exact import orthonormalized, product
from minima.data.fetch import fetch
from minima.data.idx import read_idx
from minima.data.own_file import load_own_file
from minima.data.pool import DataError, Pool
from minima.plan.known_data import KNOWN_FILES, FileRole, KnownFile
from minima.plan.recipes import (
    Blobs,
    Cifar10,
    File,
    Idx,
    LinearTeacher,
    Moons,
    Recipe,
    SphereTeacher,
)
from minima.streams import stream


def load_pool(recipe: Recipe, data_dir: Path) -> Pool:
    """The rows of a source that holds rows (those of `DRAWN` draw their own)."""
    if isinstance(recipe, File):
        return load_own_file(recipe)
    if isinstance(recipe, Idx):
        return _load_idx(_own_files(recipe), recipe.source, data_dir)
    if isinstance(recipe, Cifar10):
        return _load_cifar(recipe, data_dir)
    if recipe.source in KNOWN_FILES:
        return _load_idx(KNOWN_FILES[recipe.source], recipe.source, data_dir)
    from sklearn import datasets  # takes a second

    x, y = getattr(datasets, f"load_{recipe.source}")(return_X_y=True)
    y = y.astype(np.int64) if recipe.targets == "classes" else y.astype(np.float64)[:, None]
    return Pool(x, y, shape=recipe.facts.shape)


def _own_files(recipe: Idx) -> dict[FileRole, KnownFile]:
    names = {
        "train_images": recipe.train_images,
        "train_labels": recipe.train_labels,
        "test_images": recipe.test_images,
        "test_labels": recipe.test_labels,
    }
    return {role: KnownFile(name, recipe.sha256.get(role)) for role, name in names.items()}


def _load_idx(files: Mapping[FileRole, KnownFile], source: str, data_dir: Path) -> Pool:
    arrays, sha256 = {}, {}
    for role, file in files.items():
        path = Path(data_dir) / file.name
        sha256[file.name] = fetch(path, source, file.sha256, file.address)
        arrays[role] = read_idx(path)
    shape = arrays["train_images"].shape[1:]
    for part in ("train", "test"):
        images, labels = arrays[f"{part}_images"], arrays[f"{part}_labels"]
        where = f"{files[f'{part}_images'].name} and {files[f'{part}_labels'].name}"
        if labels.ndim != 1 or labels.dtype.kind not in "ui" or images.ndim < 2 or len(images) != len(labels):
            raise DataError(f"{source}: {where} do not go together: {images.shape} and {labels.shape}.")
        if images.shape[1:] != shape:
            raise DataError(f"{source}: training and test images differ in shape.")
    return Pool(
        x=arrays["train_images"].reshape(len(arrays["train_images"]), -1),
        y=arrays["train_labels"].astype(np.int64),
        test_x=arrays["test_images"].reshape(len(arrays["test_images"]), -1),
        test_y=arrays["test_labels"].astype(np.int64),
        shape=(1, *shape) if len(shape) == 2 else shape,
        sha256=sha256,
    )


def _load_cifar(recipe: Cifar10, data_dir: Path) -> Pool:
    paths = {name: Path(data_dir) / name for name in (*recipe.train_files, *recipe.test_files)}
    sha256 = {name: fetch(path, recipe.source) for name, path in paths.items()}
    parts = {name: read_cifar(path) for name, path in paths.items()}

    def joined(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
        x, y = zip(*(parts[name] for name in names), strict=True)
        return np.concatenate(x), np.concatenate(y)

    test = joined(recipe.test_files) if recipe.test_files else (None, None)
    return Pool(*joined(recipe.train_files), *test, shape=SHAPE, sha256=sha256)


def draw_sphere(recipe: SphereTeacher, split: int) -> Pool:
    """Exactly the rows asked for: points on the unit sphere and a teacher's targets.

    The teacher is √(2/m) Σ_k a_k relu(w_k·x) with gaussian a and w, so that targets have variance of order 1.
    """
    teacher = stream(split, "teacher")
    weights = teacher.standard_normal((recipe.teacher_width, recipe.dimension))
    signs = teacher.standard_normal(recipe.teacher_width) * np.sqrt(2 / recipe.teacher_width)

    def rows(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        x = stream(split, name).standard_normal((count, recipe.dimension))
        x /= np.linalg.norm(x, axis=1, keepdims=True)
        return x, product(np.maximum(product(x, weights.T), 0), signs[:, None])

    # Two streams: more training points leave the test points as they are.
    x, y = rows(recipe.train_size, "split")
    return Pool(x, y, *rows(recipe.test_size, "split_test"), shape=(recipe.dimension,))


def draw_linear(recipe: LinearTeacher, split: int) -> Pool:
    """Exactly the rows asked for: Y = XΘ + noise; the test rows are unit vectors, their targets Θ."""
    theta = stream(split, "teacher").standard_normal((recipe.dimension, recipe.outputs))
    theta /= np.sqrt(recipe.dimension)
    x = stream(split, "split").standard_normal((recipe.train_size, recipe.dimension))
    if recipe.spectrum == "flat":
        x, _ = orthonormalized(x)
    else:
        x /= np.sqrt(recipe.dimension)
    noise = recipe.noise * stream(split, "noise").standard_normal((recipe.train_size, recipe.outputs))
    y = product(x, theta) + noise
    test = np.eye(recipe.test_size, recipe.dimension)
    return Pool(x, y, test, theta[: recipe.test_size], shape=(recipe.dimension,))


def draw_blobs(recipe: Blobs, split: int) -> Pool:
    """Class 0 around (−1, 0), class 1 around (1, 0)."""

    def rows(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        centres = np.column_stack([2.0 * labels - 1, np.zeros(len(labels))])
        return centres + recipe.spread * draw.standard_normal((len(labels), 2))

    return _draw_plane(recipe, split, rows)


def draw_moons(recipe: Moons, split: int) -> Pool:
    """The upper half of the circle around (−½, −¼), and the lower half of that around (½, ¼)."""

    def rows(labels: np.ndarray, draw: np.random.Generator) -> np.ndarray:
        # Directions of gaussian vectors are uniform, and need no cosine: its last bit is the C library's.
        circle = draw.standard_normal((len(labels), 2))
        circle /= np.linalg.norm(circle, axis=1, keepdims=True)
        upper = np.column_stack([circle[:, 0] - 0.5, np.abs(circle[:, 1]) - 0.25])
        return upper * (1 - 2.0 * labels)[:, None] + recipe.spread * draw.standard_normal((len(labels), 2))

    return _draw_plane(recipe, split, rows)


def _draw_plane(
    recipe: Recipe, split: int, rows: Callable[[np.ndarray, np.random.Generator], np.ndarray]
) -> Pool:
    """Exactly the rows asked for, half of them of each class."""

    def part(count: int, name: str) -> tuple[np.ndarray, np.ndarray]:
        labels = np.arange(count) % 2
        return rows(labels, stream(split, name)), labels

    x, y = part(recipe.train_size, "split")
    return Pool(x, y, *part(recipe.test_size, "split_test"), shape=(2,))


DRAWN = {
    SphereTeacher: draw_sphere,
    LinearTeacher: draw_linear,
    Blobs: draw_blobs,
    Moons: draw_moons,
}
