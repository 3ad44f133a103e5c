"""Fashion-MNIST: four IDX files, downloaded with checksums where they are not in `data_dir`."""

from pathlib import Path

from minima.data.idx import load_idx, published
from minima.data.pool import Pool
from minima.plan.recipes import Facts, Recipe

FILES = published(
    "fashion-mnist",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
    "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
    "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
    "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
    "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
)


class FashionMnist(Recipe):
    """Fashion-MNIST, official training and test pools."""

    downloaded = True
    facts = Facts(
        "Fashion-MNIST, 28×28 pixels",
        "Xiao, Rasul and Vollgraf (2017)",
        "MIT",
        shape=(1, 28, 28),
        largest=255,
        class_rows=dict.fromkeys(range(10), 6000),
        test_class_rows=dict.fromkeys(range(10), 1000),
    )

    def published_files(self, data_dir: Path) -> list[Path]:
        return [data_dir / file.name for file in FILES.values()]


def load(recipe: FashionMnist, data_dir: Path) -> Pool:
    """`load` returns the official training and test pools."""
    return load_idx(FILES, recipe.source, data_dir)
