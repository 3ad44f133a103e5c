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


class KnownFile(NamedTuple):
    """A file: its name in `data_dir`, and, where it is published, its checksum and where to get it."""

    name: str
    sha256: str | None = None
    address: str | None = None


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

_IDX_NAMES: dict[FileRole, str] = {
    "train_images": "train-images-idx3-ubyte.gz",
    "train_labels": "train-labels-idx1-ubyte.gz",
    "test_images": "t10k-images-idx3-ubyte.gz",
    "test_labels": "t10k-labels-idx1-ubyte.gz",
}


def _published(folder: str, address: str, sha256: Mapping[FileRole, str]) -> dict[FileRole, KnownFile]:
    return {
        role: KnownFile(f"{folder}/{name}", sha256[role], f"{address}/{name}")
        for role, name in _IDX_NAMES.items()
    }


KNOWN_FILES: dict[str, dict[FileRole, KnownFile]] = {
    "mnist": _published(
        "mnist",
        "https://ossci-datasets.s3.amazonaws.com/mnist",
        {
            "train_images": "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609",
            "train_labels": "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c",
            "test_images": "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6",
            "test_labels": "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6",
        },
    ),
    "fashion_mnist": _published(
        "fashion-mnist",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com",
        {
            "train_images": "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "train_labels": "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "test_images": "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "test_labels": "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
        },
    ),
}
