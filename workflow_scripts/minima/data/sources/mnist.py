"""MNIST: four IDX files, downloaded with checksums where they are not in `data_dir`."""

from pathlib import Path

from minima.data.idx import load_idx, published
from minima.data.pool import Pool
from minima.plan.recipes import Facts, Recipe

FILES = published(
    "mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
    "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
    "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
    "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
    "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
)


class Mnist(Recipe):
    """MNIST, official training and test pools."""

    downloaded = True
    facts = Facts(
        "MNIST handwritten digits, 28×28 pixels",
        "LeCun, Cortes and Burges",
        "CC BY-SA 3.0",
        shape=(1, 28, 28),
        largest=255,
        class_rows=dict(enumerate([5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949])),
        test_class_rows=dict(enumerate([980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009])),
    )

    def published_files(self, data_dir: Path) -> list[Path]:
        return [data_dir / file.name for file in FILES.values()]


def load(recipe: Mnist, data_dir: Path) -> Pool:
    """`load` returns the official training and test pools."""
    return load_idx(FILES, recipe.source, data_dir)
