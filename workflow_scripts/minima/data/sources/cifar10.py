"""CIFAR-10's binary files."""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from minima.data.cifar import SHAPE, read_cifar
from minima.data.fetch import fetch
from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Cifar10


def load(recipe: "Cifar10", data_dir: Path) -> Pool:
    """`load` returns the pools of the files that the recipe names."""
    paths = {name: Path(data_dir) / name for name in (*recipe.train_files, *recipe.test_files)}
    sha256 = {name: fetch(path, recipe.source) for name, path in paths.items()}
    parts = {name: read_cifar(path) for name, path in paths.items()}

    def joined(names: list[str]) -> tuple[np.ndarray, np.ndarray]:
        x, y = zip(*(parts[name] for name in names), strict=True)
        return np.concatenate(x), np.concatenate(y)

    test = joined(recipe.test_files) if recipe.test_files else (None, None)
    return Pool(*joined(recipe.train_files), *test, shape=SHAPE, sha256=sha256)
