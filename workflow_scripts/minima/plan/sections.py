"""The sections of a cell: each validated once, however many blocks and axes name it."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, get_type_hints

from pydantic import BaseModel, TypeAdapter
from pydantic.fields import FieldInfo

from minima.plan import parts
from minima.plan.config import Training
from minima.plan.digest import canonical
from minima.plan.recipes import DataRecipe

SECTION_TYPES = {"data": DataRecipe} | {
    name: get_type_hints(Training, include_extras=True)[name] for name in Training.model_fields
}


class Section(NamedTuple):
    """`Section` is one validated section of a cell: model, values, their JSON as `written`, and the JSON of
    the fields that a pack shares."""

    model: Any
    values: Any
    json: str
    shared: str


@parts.remembered
def _adapter(section: str) -> TypeAdapter:
    """`_adapter` returns what validates a section, of the parts that there are."""
    return TypeAdapter(SECTION_TYPES[section])


_read: dict[tuple[str, str], Section] = {}
parts.on_change(_read.clear)


def section_of(name: str, base: Mapping[str, Any], settings: Mapping[str, Any]) -> Section:
    """The section `name` of `base` with `settings` (path → value) put in, parents before children."""
    value = base[name] if name in base else _default(name)
    for path in sorted(settings, key=lambda path: path.count(".")):
        value = with_leaf(value, path.split(".")[1:], settings[path])
    if (key := (name, repr(value))) not in _read:  # most sections of a config are those of other blocks too
        adapter = _adapter(name)
        model = adapter.validate_python(value)
        values = adapter.dump_python(model, mode="json")
        said = written(model, values)
        _read[key] = Section(model, values, canonical(said), canonical(shared(model, said)))
    return _read[key]


def with_leaf(value: Any, keys: Sequence[str], leaf: Any) -> Any:
    """`with_leaf` returns a copy of `value` with `leaf` at `keys`."""
    if not keys:
        return leaf
    inner = value if isinstance(value, dict) else {}
    return inner | {keys[0]: with_leaf(inner.get(keys[0]), keys[1:], leaf)}


def shared(model: Any, values: Any, left_out: type = object) -> Any:
    """`shared` returns the values without the fields marked VARIES that hold a value of the type
    `left_out`."""
    return _without(model, values, lambda field, value: _is("varies", field) and isinstance(value, left_out))


def written(model: Any, values: Any) -> Any:
    """`written` returns the values as a cell's JSON has them: without the fields marked LATER that hold their
    default."""
    return _without(model, values, lambda field, value: _is("later", field) and value == field.default)


def _without(model: Any, values: Any, leave_out: Callable[[FieldInfo, Any], bool]) -> Any:
    if not isinstance(model, BaseModel):
        return values
    fields = {field.alias or name: (name, field) for name, field in type(model).model_fields.items()}
    return {
        key: _without(getattr(model, fields[key][0]), value, leave_out)
        for key, value in values.items()
        if not leave_out(fields[key][1], value)
    }


def _is(mark: str, field: FieldInfo) -> bool:
    return bool((field.json_schema_extra or {}).get(mark))


def set_by_user(value: Any) -> Any:
    """`set_by_user` returns only what the user wrote, without defaults: an axis may choose another
    optimizer, which has other defaults."""
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


def _default(name: str) -> Any:
    return set_by_user(Training.model_fields[name].default)
