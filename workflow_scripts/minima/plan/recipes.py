"""Data recipes: which rows a network learns from, and how they are prepared.

A recipe names a `source` and how to choose, label and normalize its rows. Each source is a module of
`minima.data.sources` whose class adds its own options. What the class knows of the source without loading it
lets an impossible recipe be refused while the config is read.
"""

from collections.abc import Iterator, Mapping
from math import prod
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal, NamedTuple

from pydantic import Field, TypeAdapter, ValidationError, model_validator
from pydantic_core import from_json

from minima.plan import parts
from minima.plan.digest import canonical
from minima.plan.options import LATER, SHA256_PATTERN, Options

Labels = Literal["sign", "onehot", "value"]
Normalize = Literal["none", "unit", "sphere", "standardize", "whiten", "range", "centre", "channels"]
Sha256 = Annotated[str, Field(pattern=SHA256_PATTERN)]
Class = Annotated[int | str, Field(union_mode="left_to_right")]  # "3" of a command line is 3
UNKNOWN = (1, 28, 28)  # the shape of rows of which nothing is known before they are read

LABELS = (
    "Targets: sign (two classes, −1 and +1), onehot (a column per class) or value (as the source has them)."
)
NORMALIZE = (
    "none (as stored), unit (‖x‖ = 1), sphere (‖x‖ = √features), standardize (per feature, by the training "
    "rows), whiten (by the linear map that makes the training rows orthonormal; fewer rows than features), "
    "range (divided by the source's largest value), centre (less the training rows' mean, over the source's "
    "largest value where it has one) or channels (standardized per channel of the images, by the training "
    "rows)."
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


class Facts(NamedTuple):
    """What is known of a source before it is loaded; all of it may be left out."""

    title: str
    origin: str = "synthetic"
    licence: str = "none needed: generated numbers"
    shape: tuple[int, ...] | None = None  # of one row: (features,) or (channels, height, width)
    rows: int | None = None  # of a source with real targets
    largest: float | None = None  # value of a feature, of those that begin at 0
    class_rows: Mapping[int, int] = {}
    test_class_rows: Mapping[int, int] = {}  # empty where training and test rows share one pool


def uci(title: str, shape: tuple[int, ...], rows: list[int], largest: float | None = None) -> Facts:
    """`uci` returns the facts of a table that scikit-learn embeds, of so many rows of each class."""
    origin = "UCI machine learning repository, as embedded in scikit-learn"
    return Facts(title, origin, "CC BY 4.0", shape, largest=largest, class_rows=dict(enumerate(rows)))


class Recipe(parts.Part):
    """What every source shares."""

    targets: ClassVar[Literal["classes", "values", "either"]] = "classes"
    facts: ClassVar[Facts] = Facts("Data of the user", "user", "as the user's data")
    downloaded: ClassVar[bool] = False  # from an address, where the files are not in data_dir

    source: str = Field(description="Where the rows come from.")
    classes: list[Class] | None = Field(
        None,
        min_length=2,
        description="Classes to keep, numbers or words, in this order: the first is −1 for sign; null: all, "
        "in ascending order.",
    )
    train_size: int = Field(100, ge=1, description="Number of training rows.")
    test_size: int = Field(100, ge=1, description="Number of test rows.")
    labels: Labels = Field("sign", description=LABELS)
    standardize_targets: bool = Field(
        False,
        description="Targets of labels: value less their mean and over their standard deviation, of the "
        "training rows: of order 1, as networks are at their start.",
        json_schema_extra=LATER,
    )
    normalize: Normalize = Field("sphere", description=NORMALIZE)
    shape: list[Annotated[int, Field(ge=1)]] | None = Field(
        None,
        min_length=1,
        max_length=4,
        description="Shape of a row as the network gets it, such as [1, 8, 8] or, of 8 tokens, [8, 8]; null: "
        "the source's own.",
        json_schema_extra=LATER,
    )
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

    def row_shape(self) -> tuple[int, ...] | None:
        """`row_shape` returns the shape of one row of the source, images as (channels, height, width); None
        where only the user's file knows."""
        return self.facts.shape

    def expected_shape(self) -> tuple[int, ...]:
        """`expected_shape` returns the shape of one row of the source, or what it is taken for until the rows
        are read."""
        return self.row_shape() or UNKNOWN

    def input_shape(self) -> tuple[int, ...] | None:
        """`input_shape` returns the shape of one row as networks get it; None where only the user's file
        knows."""
        return tuple(self.shape) if self.shape else self.row_shape()

    def expected_input_shape(self) -> tuple[int, ...]:
        """`expected_input_shape` returns the shape of one row as networks get it, or what it is taken for
        until the rows are read."""
        return self.input_shape() or self.expected_shape()

    def images(self) -> bool | None:
        """`images` returns whether the source has images; None where only the user's file knows."""
        shape = self.row_shape()
        return None if shape is None else len(shape) == 3

    def output_count(self) -> int:
        """`output_count` returns the outputs of the network; a guess where only the user's file knows."""
        return len(self.classes or self.facts.class_rows) or 10 if self.labels == "onehot" else 1

    def own_files(self, data_dir: Path) -> list[Path]:
        """`own_files` returns the user's files behind this recipe: inputs of the rule that prepares it."""
        return []

    def published_files(self, data_dir: Path) -> list[Path]:
        """`published_files` returns where the source's files stand once they are downloaded."""
        return []

    def where(self) -> str:
        """`where` returns what messages call the rows: the user's files, or else the source."""
        return ", ".join(map(str, self.own_files(Path()))) or self.source

    def problems(self) -> Iterator[str]:
        """`problems` yields why the recipe is impossible, as far as that is known before its rows are."""
        found = [*self._label_problems(), *self._class_problems(), *self._shape_problems()]
        yield from found or self._size_problems()

    @model_validator(mode="after")
    def _must_be_possible(self) -> "Recipe":
        if problems := [*self.problems()]:
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
        if self.standardize_targets and self.labels != "value":
            yield "standardize_targets is of numbers: it needs labels: value, or must be false"
        if self.labels == "value" and (words := [c for c in self.classes or () if isinstance(c, str)]):
            yield f"classes {words} are words, not numbers to be fitted: use labels: sign or onehot"

    def _shape_problems(self) -> Iterator[str]:
        known = self.row_shape()
        if self.shape and known and prod(self.shape) != prod(known):
            has = f"{self.source} has rows of {prod(known)}"
            yield f"shape {self.shape} is of {prod(self.shape)} numbers, and {has}"
        if self.normalize == "range" and self.facts.largest is None:
            yield f"normalize: range needs a source whose largest value is known, and {self.source} has none"
        images = len(self.shape) == 3 if self.shape else self.images()
        if self.normalize == "channels" and images is False:
            yield f"normalize: channels needs images, and {self.where()} has none"

    def _class_problems(self) -> Iterator[str]:
        classes, known = self.classes, self.facts.class_rows
        if classes is not None and len(set(classes)) < len(classes):
            yield f"classes {classes} names a class twice"
        if classes is not None and known and (strangers := [c for c in classes if c not in known]):
            yield f"{self.source} has no class {', '.join(map(str, strangers))}: its classes are {[*known]}"
        there = [*known] if classes is None else classes
        number = len(there)
        if self.labels == "sign" and self.targets != "values" and number not in (0, 2):
            yield (
                f"labels: sign needs exactly two classes and there are {number}: "
                f"name two, as in classes: {there[:2]}, or use labels: onehot"
            )

    def _size_problems(self) -> Iterator[str]:
        rows = self._count(self.facts.class_rows) or self.facts.rows
        test_rows = self._count(self.facts.test_class_rows)
        if not rows:
            return
        described = self.source if self.classes is None else f"{self.source}, classes {self.classes}"
        needed = self.train_size if test_rows else self.train_size + self.test_size
        if needed > rows:
            asked = f"train_size {self.train_size}" + ("" if test_rows else f" + test_size {self.test_size}")
            kind = " training" if test_rows else ""
            yield f"{asked} is more than the {rows}{kind} rows of {described}"
        if test_rows and self.test_size > test_rows:
            yield f"test_size {self.test_size} is more than the {test_rows} test rows of {described}"

    def _count(self, class_rows: Mapping[int, int]) -> int:
        return sum(rows for c, rows in class_rows.items() if self.classes is None or c in self.classes)


DataRecipe = Annotated[Any, parts.OneOf("sources", "source")]


@parts.remembered
def reader() -> TypeAdapter[Recipe]:
    """`reader` returns what makes recipes of plain values, whatever their source."""
    return TypeAdapter(DataRecipe)


def recipe_of(values: Mapping[str, Any]) -> Recipe:
    """`recipe_of` returns the recipe that a cell's section `data` holds as plain values. A source that is
    gone, whose cells are still in a store, is known by what all sources share."""
    return _recipe_of(canonical(values))


@parts.remembered
def _recipe_of(written: str) -> Recipe:
    try:
        return reader().validate_json(written)
    except ValidationError:
        values = from_json(written)
        return Recipe.model_validate({name: values[name] for name in Recipe.model_fields if name in values})


def input_shape(data: Mapping[str, Any]) -> tuple[int, ...] | None:
    """`input_shape` returns the shape of one row of a cell's data as its network gets it; None where only the
    user's file knows."""
    return recipe_of(data).input_shape()


def output_count(data: Mapping[str, Any]) -> int:
    """`output_count` returns the outputs that a cell's data ask for."""
    return recipe_of(data).output_count()
