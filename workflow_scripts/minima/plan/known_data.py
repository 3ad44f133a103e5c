"""What is known of the data sources without loading them: titles, licences, row counts, files, checksums."""

from collections.abc import Mapping
from typing import Literal, NamedTuple

FileRole = Literal["train_images", "train_labels", "test_images", "test_labels"]


class Facts(NamedTuple):
    """What is known of a source before it is loaded."""

    title: str
    origin: str
    licence: str
    shape: tuple[int, ...] | None = None  # of one row: (features,) or (channels, height, width)
    rows: int | None = None  # of a regression source
    largest: float | None = None  # value of a feature, of those that begin at 0
    class_rows: Mapping[int, int] = {}
    test_class_rows: Mapping[int, int] = {}  # empty where training and test rows share one pool


def _by_class(*rows: int) -> dict[int, int]:
    return dict(enumerate(rows))


FACTS: dict[str, Facts] = {
    "digits": Facts(
        title="Optical recognition of handwritten digits, 8×8 pixels",
        origin="UCI machine learning repository, as embedded in scikit-learn",
        licence="CC BY 4.0",
        shape=(1, 8, 8),
        largest=16,
        class_rows=_by_class(178, 182, 177, 183, 181, 182, 181, 179, 174, 180),
    ),
    "wine": Facts(
        title="Wine recognition",
        origin="UCI machine learning repository, as embedded in scikit-learn",
        licence="CC BY 4.0",
        shape=(13,),
        class_rows=_by_class(59, 71, 48),
    ),
    "breast_cancer": Facts(
        title="Breast cancer Wisconsin (diagnostic)",
        origin="UCI machine learning repository, as embedded in scikit-learn",
        licence="CC BY 4.0",
        shape=(30,),
        class_rows=_by_class(212, 357),
    ),
    "iris": Facts(
        title="Iris plants",
        origin="UCI machine learning repository, as embedded in scikit-learn",
        licence="CC BY 4.0",
        shape=(4,),
        class_rows=_by_class(50, 50, 50),
    ),
    "diabetes": Facts(
        title="Diabetes progression",
        origin="Efron, Hastie, Johnstone and Tibshirani (2004), as embedded in scikit-learn",
        licence="as distributed with scikit-learn",
        shape=(10,),
        rows=442,
    ),
    "sphere_teacher": Facts(
        title="Random two-layer ReLU teacher on the unit sphere",
        origin="synthetic",
        licence="none needed: generated numbers",
    ),
    "linear_teacher": Facts(
        title="Gaussian linear teacher",
        origin="synthetic",
        licence="none needed: generated numbers",
    ),
    "blobs": Facts(
        title="Two gaussian blobs in the plane",
        origin="synthetic",
        licence="none needed: generated numbers",
        shape=(2,),
    ),
    "moons": Facts(
        title="Two interleaved half circles in the plane",
        origin="synthetic",
        licence="none needed: generated numbers",
        shape=(2,),
    ),
    "cifar10": Facts(
        title="CIFAR-10, colour images of 32×32 pixels",
        origin="Krizhevsky (2009)",
        licence="as published by its author",
        shape=(3, 32, 32),
        largest=255,
    ),
    "mnist": Facts(
        title="MNIST handwritten digits, 28×28 pixels",
        origin="LeCun, Cortes and Burges",
        licence="CC BY-SA 3.0",
        shape=(1, 28, 28),
        largest=255,
        class_rows=_by_class(5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949),
        test_class_rows=_by_class(980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009),
    ),
    "fashion_mnist": Facts(
        title="Fashion-MNIST, 28×28 pixels",
        origin="Xiao, Rasul and Vollgraf (2017)",
        licence="MIT",
        shape=(1, 28, 28),
        largest=255,
        class_rows=_by_class(*[6000] * 10),
        test_class_rows=_by_class(*[1000] * 10),
    ),
    "idx": Facts(title="IDX files of the user", origin="user", licence="as the user's files"),
    "file": Facts(title="File of the user", origin="user", licence="as the user's file"),
}
