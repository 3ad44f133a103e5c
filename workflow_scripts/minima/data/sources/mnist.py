"""MNIST: four IDX files, downloaded with checksums where they are not in `data_dir`."""

from pathlib import Path
from typing import TYPE_CHECKING

from minima.data.idx_pool import load_idx, published
from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Recipe

FILES = published(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    {
        "train_images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
        "train_labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
        "test_images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
        "test_labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
    },
)


def load(recipe: "Recipe", data_dir: Path) -> Pool:
    """`load` returns the official training and test pools."""
    return load_idx(FILES, recipe.source, data_dir)
