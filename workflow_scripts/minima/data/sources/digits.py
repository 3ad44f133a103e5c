"""Handwritten digits, embedded in scikit-learn."""

from importlib.util import find_spec
from pathlib import Path

from minima.data.pool import Pool
from minima.plan.recipes import Recipe, uci

FILE = "datasets/data/digits.csv.gz"


class Digits(Recipe):
    """Handwritten digits, 1797 rows of 8×8 pixels."""

    facts = uci(
        "Optical recognition of handwritten digits, 8×8 pixels",
        (1, 8, 8),
        [178, 182, 177, 183, 181, 182, 181, 179, 174, 180],
        largest=16,
    )


def load(recipe: Digits, data_dir: Path) -> Pool:
    """`load` returns the table, read from its file in scikit-learn: to import that takes as long as all else
    that most jobs do which prepare data."""
    import numpy as np

    package = Path(str(find_spec("sklearn").origin)).parent
    table = np.loadtxt(package / FILE, delimiter=",")
    return Pool(table[:, :-1].reshape(-1, 8, 8), table[:, -1].astype(int))
