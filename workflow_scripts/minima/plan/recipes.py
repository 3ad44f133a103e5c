"""Data recipes: which rows a network learns from, and how they are prepared.

A recipe names a `source` and how to choose, label and normalize its rows. What is known of a source
without loading it (`known_data`) lets an impossible recipe be refused while the config is read.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, Union, get_args

from pydantic import Field, model_validator

from minima.plan.known_data import FACTS, Facts, FileRole
from minima.plan.options import Options

Labels = Literal["sign", "onehot", "value"]
Normalize = Literal["none", "unit", "sphere", "standardize", "whiten", "range", "channels"]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


_LABELS = (
    "Targets: sign (two classes, −1 and +1), onehot (a column per class) or value (as the source has them)."
)
_NORMALIZE = (
    "none (as stored), unit (‖x‖ = 1), sphere (‖x‖ = √features), standardize (per feature, by the training "
    "rows), whiten (by the linear map that makes the training rows orthonormal; fewer rows than features), "
    "range (divided by the source's largest value) or channels (standardized per channel of the images, by "
    "the training rows)."
)


class Confusion(Options):
    """Damaged copies of the training rows in place of the training rows, under random labels."""

    copies: int = Field(1, ge=1, description="R: copies of each training row, each with a label of its own.")
    zeroed: float = Field(
        0.0, ge=0, lt=1, description="N: fraction of each copy's features set to 0, before normalization."
    )
    labels: Literal["random", "unchanged"] = Field(
        "random",
        description="random: each copy's own, uniform over the classes; unchanged: the rows' labels.",
    )


class SharedSplit(Options):
    """Seeds in groups: networks of a group start differently on the same rows."""

    seeds_each: int = Field(
        ge=2,
        description="So many seeds in a row share split number seed // seeds_each, a verdict's unit.",
    )


class Recipe(Options):
    """What every source shares."""

    targets: ClassVar[Literal["classes", "values", "either"]] = "classes"

    source: str = Field(description="Where the rows come from.")
    classes: list[int] | None = Field(
        None, min_length=2, description="Classes to keep, in this order: the first is −1 for sign; null: all."
    )
    train_size: int = Field(100, ge=1, description="Number of training rows.")
    test_size: int = Field(100, ge=1, description="Number of test rows.")
    labels: Labels = Field("sign", description=_LABELS)
    normalize: Normalize = Field("sphere", description=_NORMALIZE)
    label_noise: float = Field(
        0.0, ge=0, lt=1, description="Fraction of the training labels replaced by another class."
    )
    confusion: Confusion | None = Field(
        None, description="Train on a confusion set: damaged copies under random labels; null: on the rows."
    )
    split: Literal["seed"] | Annotated[int, Field(ge=0)] | SharedSplit = Field(
        "seed",
        description="seed: every seed redraws the rows; a number: this one split for all seeds; "
        "{seeds_each: 2}: seeds in pairs share a split.",
    )

    @property
    def facts(self) -> Facts:
        return FACTS[self.source]

    def own_files(self, data_dir: Path) -> list[Path]:
        """The user's files behind this recipe: inputs of the rule that prepares it."""
        return []

    @model_validator(mode="after")
    def _must_be_possible(self) -> "Recipe":
        if problems := [*self._label_problems(), *self._class_problems(), *self._normal_problems()] or [
            *self._size_problems()
        ]:
            raise ValueError("; ".join(problems))
        return self

    def _label_problems(self) -> Iterator[str]:
        if self.targets == "values":
            if self.labels != "value":
                yield f"{self.source} has real targets, not classes: use labels: value, not {self.labels}"
            if self.classes is not None:
                yield f"{self.source} has real targets, not classes: remove classes"
        if self.label_noise and self.labels == "value":
            yield "label_noise replaces classes: it needs labels: sign or onehot, or must be 0"
        if self.confusion and self.labels == "value":
            yield "confusion draws classes: it needs labels: sign or onehot"

    def _normal_problems(self) -> Iterator[str]:
        if self.normalize == "range" and self.facts.largest is None:
            yield f"normalize: range needs a source whose largest value is known, and {self.source} has none"
        if self.normalize == "channels" and len(self.facts.shape or (0, 0, 0)) != 3:
            yield f"normalize: channels needs images, and {self.source} has none"

    def _class_problems(self) -> Iterator[str]:
        classes, known = self.classes, self.facts.class_rows
        if classes is not None and len(set(classes)) < len(classes):
            yield f"classes {classes} names a class twice"
        if classes is not None and known and (strangers := [c for c in classes if c not in known]):
            yield f"{self.source} has no class {', '.join(map(str, strangers))}: its classes are {[*known]}"
        number = len(classes if classes is not None else known)
        if self.labels == "sign" and self.targets != "values" and number not in (0, 2):
            yield (
                f"labels: sign needs exactly two classes and there are {number}: "
                "name two, as in classes: [0, 1], or use labels: onehot"
            )

    def _size_problems(self) -> Iterator[str]:
        rows = self._count(self.facts.class_rows) or self.facts.rows
        test_rows = self._count(self.facts.test_class_rows)
        if not rows:
            return
        needed = self.train_size if test_rows else self.train_size + self.test_size
        if needed > rows:
            asked = f"train_size {self.train_size}" + ("" if test_rows else f" + test_size {self.test_size}")
            kind = " training" if test_rows else ""
            yield f"{asked} is more than the {rows}{kind} rows of {self._described()}"
        if test_rows and self.test_size > test_rows:
            yield f"test_size {self.test_size} is more than the {test_rows} test rows of {self._described()}"

    def _count(self, class_rows: Mapping[int, int]) -> int:
        return sum(rows for c, rows in class_rows.items() if self.classes is None or c in self.classes)

    def _described(self) -> str:
        return self.source if self.classes is None else f"{self.source}, classes {self.classes}"


class Digits(Recipe):
    source: Literal["digits"] = Field("digits", description="Handwritten digits, 1797 rows of 8×8 pixels.")


class Wine(Recipe):
    source: Literal["wine"] = Field("wine", description="Wine recognition, 178 rows, 13 features, 3 classes.")


class BreastCancer(Recipe):
    source: Literal["breast_cancer"] = Field(
        "breast_cancer", description="Breast cancer Wisconsin, 569 rows, 30 features, 2 classes."
    )


class Iris(Recipe):
    source: Literal["iris"] = Field("iris", description="Iris plants, 150 rows, 4 features, 3 classes.")


class Diabetes(Recipe):
    targets = "values"
    source: Literal["diabetes"] = Field(
        "diabetes", description="Diabetes progression, 442 rows, 10 features, a real target."
    )
    labels: Labels = Field("value", description=_LABELS)


class SphereTeacher(Recipe):
    targets = "values"
    source: Literal["sphere_teacher"] = Field(
        "sphere_teacher",
        description="Uniform points on the unit sphere; targets of a random two-layer ReLU teacher, "
        "redrawn with the split.",
    )
    labels: Labels = Field("value", description=_LABELS)
    dimension: int = Field(10, ge=2, description="Number of input features.")
    teacher_width: int = Field(10, ge=1, description="Hidden units of the teacher.")


class LinearTeacher(Recipe):
    targets = "values"
    source: Literal["linear_teacher"] = Field(
        "linear_teacher",
        description="Y = XΘ + noise with fewer rows than features and Θ ~ N(0, 1/features), redrawn with the "
        "split. The test rows are the unit vectors and Θ: with as many as features, predictions there are "
        "the whole of a linear network, and its error is the expected one over isotropic inputs.",
    )
    labels: Labels = Field("value", description=_LABELS)
    normalize: Normalize = Field("none", description="none: the spectrum is the point of this source.")
    dimension: int = Field(400, ge=2, description="Number of input features.")
    outputs: int = Field(1, ge=1, description="Number of targets.")
    spectrum: Literal["flat", "random"] = Field(
        "flat", description="Of X: flat (all singular values 1) or random (entries N(0, 1/features))."
    )
    noise: float = Field(0.01, ge=0, description="Standard deviation of the noise in the training targets.")

    def _size_problems(self) -> Iterator[str]:
        if self.train_size > self.dimension or self.test_size > self.dimension:
            yield f"linear_teacher has at most as many rows as features, {self.dimension}"
        if self.normalize != "none":
            yield "linear_teacher needs normalize: none"


class Blobs(Recipe):
    source: Literal["blobs"] = Field("blobs", description="Two gaussian blobs in the plane, at x₁ = ±1.")
    spread: float = Field(0.5, gt=0, description="Standard deviation of a blob.")
    normalize: Normalize = Field("none", description=_NORMALIZE)


class Moons(Recipe):
    source: Literal["moons"] = Field(
        "moons", description="Two interleaved half circles of radius 1 in the plane."
    )
    spread: float = Field(0.1, ge=0, description="Standard deviation of the noise.")
    normalize: Normalize = Field("none", description=_NORMALIZE)


class Cifar10(Recipe):
    source: Literal["cifar10"] = Field("cifar10", description="CIFAR-10's binary files, in data_dir.")
    labels: Labels = Field("onehot", description=_LABELS)
    train_files: list[str] = Field(
        [f"cifar10/data_batch_{number}.bin" for number in range(1, 6)],
        min_length=1,
        description="Files of the training records, relative to data_dir.",
    )
    test_files: list[str] = Field(
        ["cifar10/test_batch.bin"],
        description="Files of the test records; none: training and test rows share one pool.",
    )

    def own_files(self, data_dir: Path) -> list[Path]:
        return [Path(data_dir) / name for name in (*self.train_files, *self.test_files)]


class Mnist(Recipe):
    source: Literal["mnist"] = Field("mnist", description="MNIST, official training and test pools.")


class FashionMnist(Recipe):
    source: Literal["fashion_mnist"] = Field(
        "fashion_mnist", description="Fashion-MNIST, official training and test pools."
    )


class Idx(Recipe):
    source: Literal["idx"] = Field("idx", description="The user's IDX files, plain or .gz, in data_dir.")
    train_images: str = Field(description="File of the training images, relative to data_dir.")
    train_labels: str = Field(description="File of the training labels, relative to data_dir.")
    test_images: str = Field(description="File of the test images, relative to data_dir.")
    test_labels: str = Field(description="File of the test labels, relative to data_dir.")
    sha256: dict[FileRole, Sha256] = Field({}, description="Checksums to insist on, by the fields above.")

    def own_files(self, data_dir: Path) -> list[Path]:
        return [Path(data_dir) / getattr(self, role) for role in get_args(FileRole)]


class File(Recipe):
    targets = "either"
    source: Literal["file"] = Field("file", description="The user's own table: .npz, .csv or .nc.")
    labels: Labels = Field("value", description=_LABELS)
    path: str = Field(pattern=r"\.(npz|csv|nc)$", description="The file, relative to the working directory.")
    sha256: Sha256 | None = Field(None, description="Checksum to insist on.")
    x: str = Field(
        "x",
        description="Name of the inputs in an .npz or .nc file: (rows, features), or images as (rows, "
        "channels, height, width) or, of one channel, (rows, height, width).",
    )
    y: str = Field("y", description="Name of the targets in an .npz or .nc file, rows first.")
    x_test: str | None = Field(
        None, description="Name of the test inputs in an .npz or .nc file; null: x_test where there is one."
    )
    y_test: str | None = Field(
        None, description="Name of the test targets in an .npz or .nc file; null: y_test where there is one."
    )
    target: str | None = Field(None, description="Target column of a .csv file; null: the last.")

    def own_files(self, data_dir: Path) -> list[Path]:
        return [Path(self.path)]

    def _label_problems(self) -> Iterator[str]:
        yield from super()._label_problems()
        if not self.path.endswith(".csv") and self.target is not None:
            yield "target names a column of a .csv file: use y for .npz and .nc"
        if self.path.endswith(".csv") and (self.x, self.y, self.x_test, self.y_test) != (
            "x",
            "y",
            None,
            None,
        ):
            yield "x, y, x_test and y_test name variables of .npz and .nc files: use target for .csv"


DataRecipe = Annotated[
    Union[  # noqa: UP007 — one name per line
        Digits,
        Wine,
        BreastCancer,
        Iris,
        Diabetes,
        SphereTeacher,
        LinearTeacher,
        Blobs,
        Moons,
        Cifar10,
        Mnist,
        FashionMnist,
        Idx,
        File,
    ],
    Field(discriminator="source"),
]


def row_shape(recipe: Mapping[str, Any]) -> tuple[int, ...] | None:
    """Shape of one row, images as (channels, height, width); None where only the user's file knows."""
    return (recipe["dimension"],) if "dimension" in recipe else FACTS[recipe["source"]].shape


def output_count(recipe: Mapping[str, Any]) -> int:
    """Outputs of the network; a guess where only the user's file knows (for cost estimates)."""
    if "outputs" in recipe:
        return recipe["outputs"]
    if recipe["labels"] != "onehot":
        return 1
    return len(recipe["classes"] or FACTS[recipe["source"]].class_rows) or 10
