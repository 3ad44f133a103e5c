"""What every config model shares: unknown keys are errors, values are frozen."""

from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, ConfigDict, Discriminator, model_validator

# A field marked so may differ between the cells of one pack (a number the engine takes per network);
# every other field shapes the arrays or picks code, and is shared.
VARIES = {"varies": True}
# A field marked so came when cells had been trained already: a cell with its default is written as before, so
# that it is the same cell.
LATER = {"later": True}

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"  # names become paths
SHA256_PATTERN = r"^[0-9a-f]{64}$"


class Options(BaseModel):
    """A mapping of the config. Frozen, closed (`extra="forbid"`) and finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _true_is_no_number(cls, given: Any) -> Any:
        """`_true_is_no_number` refuses true and false in fields of numbers, where pydantic would take 1 and
        0."""
        if not isinstance(given, dict):
            return given
        return {name: _word(value) if name in _number_fields(cls) else value for name, value in given.items()}


def _word(value: Any) -> Any:
    if isinstance(value, list):
        return [_word(one) for one in value]
    return str(value).lower() if isinstance(value, bool) else value


@cache
def _number_fields(model: type[BaseModel]) -> set[str]:
    """The fields that take numbers and no truth values."""
    types = {name: _types_in(field.annotation) for name, field in model.model_fields.items()}
    return {name for name, found in types.items() if found & {int, float} and bool not in found}


def _types_in(annotation: Any) -> set[Any]:
    """A type and the types that it is made of."""
    return {annotation}.union(*map(_types_in, get_args(annotation)))


def tagged(field: str, default: str | None) -> Discriminator:
    """`tagged` tells the members of a union apart by `field`; what does not name it is the default member,
    or a mistake where there is none."""

    def tag(value: Any) -> str | None:
        name = value.get(field, default) if isinstance(value, dict) else getattr(value, field, default)
        return None if name is None else str(name)

    tag.__name__ = field  # by which a mistake is told
    return Discriminator(tag)
