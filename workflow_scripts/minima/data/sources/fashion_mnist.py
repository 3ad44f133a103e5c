"""Fashion-MNIST: four IDX files, downloaded with checksums where they are not in `data_dir`."""

from pathlib import Path
from typing import TYPE_CHECKING

from minima.data.idx_pool import load_idx, published
from minima.data.pool import Pool

if TYPE_CHECKING:
    from minima.plan.recipes import Recipe

FILES = published(
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    {
        "train_images": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
        "train_labels": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
        "test_images": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
        "test_labels": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
    },
)


def load(recipe: "Recipe", data_dir: Path) -> Pool:
    """`load` returns the official training and test pools."""
    return load_idx(FILES, recipe.source, data_dir)
