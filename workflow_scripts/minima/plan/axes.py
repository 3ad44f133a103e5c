"""The axes of a block: paths of fields, and the labels and values that they take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError

from minima.plan import parts
from minima.plan.config import Block, SeedRange
from minima.plan.marks import variables
from minima.plan.mistakes import ConfigError, Mistake, explain, unknown
from minima.plan.sections import SECTION_TYPES, section_of, set_by_user, with_leaf


@parts.remembered
def reserved() -> set[str]:
    """`reserved` returns the names that every dataset has already: its other dimensions, and what a cell
    stores."""
    stored = variables()
    dims = {dim for variable in stored.values() for dim in variable.dims}
    return {"cell", "seed", "split", "predictor", *dims, *stored}


@dataclass(frozen=True)
class Axis:
    """One dimension of a block."""

    path: str
    dimension: str
    labels: tuple[Any, ...]  # coordinates of the dataset
    values: tuple[Any, ...]  # what is set at `path`


def read_axes(
    block: Block, base: Mapping[str, Any], recipes: Mapping[str, BaseModel], path: str
) -> tuple[Axis, ...]:
    mistakes: list[Mistake] = []
    read: list[tuple[str, tuple[Any, ...], tuple[Any, ...]]] = []
    for field, given in block.axes.items():
        where = f"{path}.axes.{field}"
        try:
            company = _first_values(block.axes, recipes, but=field)
            read.append((field, *_read_axis(field, given, base, company, recipes, where)))
        except ConfigError as error:
            mistakes += error.mistakes
    names = dimension_names([field for field, _, _ in read])
    for name in sorted(set(names) & reserved()):
        mistakes.append(Mistake(f"{path}.axes", f"'{name}' is a name in every dataset and cannot be an axis"))
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(Axis(f, name, labels, values) for (f, labels, values), name in zip(read, names, strict=True))


def _read_axis(
    field: str,
    given: Any,
    base: Mapping[str, Any],
    company: Mapping[str, Any],
    recipes: Mapping[str, BaseModel],
    where: str,
) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """`_read_axis` returns labels and values of one axis. Each value is validated on the block's base, alone
    or else beside the first values of the section's other axes: a momentum may belong to the optimizer that
    the axis `optimizer` names."""
    section, *keys = field.split(".")
    if section == "seed":
        raise ConfigError([Mistake(where, "seed is a key of the block: seed: {start: 100, count: 10}")])
    if section not in SECTION_TYPES:
        raise ConfigError([Mistake(where, unknown(section, SECTION_TYPES, "no section of a cell"))])
    if field == "data":
        return _recipe_axis(given, recipes, where)
    labels, values = _labels_and_values(given, where)
    mistakes: list[Mistake] = []
    coerced = []
    for label, value in zip(labels or values, values, strict=True):
        try:
            values_of_section = _section_of_some(section, base, {field: value}, company)
        except ValidationError as error:
            raw = with_leaf(base.get(section, {}), keys, value)
            mistakes += [_blame(where, keys, m) for m in explain(error, SECTION_TYPES[section], raw)]
            continue
        for key in keys:
            values_of_section = values_of_section[key]
        coerced.append(label if labels else values_of_section)
    if not mistakes and any(isinstance(label, dict | list | type(None)) for label in coerced):
        mistakes.append(
            Mistake(where, "values that are no plain numbers or words need labels: {label: value, …}")
        )
    if not mistakes and (doubles := sorted({str(v) for v in coerced if coerced.count(v) > 1})):
        mistakes.append(Mistake(where, f"the same value twice: {', '.join(doubles)}"))
    if mistakes:
        raise ConfigError(mistakes)
    return tuple(coerced), tuple(values)


def _section_of_some(
    name: str, base: Mapping[str, Any], setting: Mapping[str, Any], company: Mapping[str, Any]
) -> Any:
    """`_section_of_some` returns the section's values with a setting alone or, where that is not valid, with
    the first values of the other axes."""
    try:
        return section_of(name, base, setting).values
    except ValidationError:
        if not company:
            raise
    return section_of(name, base, company | setting).values


def _first_values(axes: Mapping[str, Any], recipes: Mapping[str, BaseModel], but: str) -> dict[str, Any]:
    """The first values of the well-formed axes over the same section."""
    found = {}
    for field, given in axes.items():
        if field != but and field.split(".")[0] == but.split(".")[0]:
            try:
                read = _recipe_axis(given, recipes, "") if field == "data" else _labels_and_values(given, "")
            except ConfigError:
                continue  # told where that axis is read
            found[field] = read[1][0]
    return found


def _recipe_axis(given: Any, recipes: Mapping[str, BaseModel], where: str):
    """The axis `data` goes over recipes by name."""
    labels, values = _labels_and_values(given, where)
    names = tuple(map(str, values))
    if missing := [name for name in names if name not in recipes]:
        raise ConfigError([Mistake(where, unknown(name, recipes, "no data recipe")) for name in missing])
    return labels or names, tuple(set_by_user(recipes[name]) for name in names)


def _labels_and_values(given: Any, where: str) -> tuple[tuple[Any, ...], tuple[Any, ...]]:
    """A list gives values; {start, count} whole numbers; another mapping labels and values. Labels that are
    numbers stay numbers: a part that asks for the step 0.005 finds what other data have in its place."""
    if isinstance(given, dict) and set(given) == {"start", "count"}:
        try:
            return (), tuple(SeedRange.model_validate(given).values())
        except ValidationError as error:
            raise ConfigError(explain(error, SeedRange, given, where)) from None
    if isinstance(given, dict) and given:
        labels = (key if isinstance(key, int | float) and key == key else str(key) for key in given)
        return tuple(labels), tuple(given.values())
    if isinstance(given, list) and given:
        return (), tuple(given)
    form = "a list, {start, count}, or a mapping of labels to values"
    raise ConfigError(
        [Mistake(where, "is empty" if given in ([], {}, None) else f"needs {form}, not {given!r}")]
    )


def _blame(where: str, keys: Sequence[str], mistake: Mistake) -> Mistake:
    """`_blame` returns mistakes under the axis's path. A mistake in another field of the section also names
    that field."""
    at = mistake.path
    own = ".".join(keys)
    same = at in ("config", own) or at.endswith(f".{own}") or not own
    return Mistake(where, mistake.reason if same else f"{at}: {mistake.reason}")


def dimension_names(paths: Sequence[str]) -> list[str]:
    """`dimension_names` returns the name of each path's dimension: the path's last part; its parent where
    that part is `name`; parent_child where two dimensions would share a name."""

    def short(path: str) -> str:
        parts = path.split(".")
        return parts[-2] if parts[-1] == "name" and len(parts) > 1 else parts[-1]

    names = [short(path) for path in paths]
    return [
        "_".join(path.split(".")[-2:]) if names.count(name) > 1 or name in reserved() else name
        for path, name in zip(paths, names, strict=True)
    ]
