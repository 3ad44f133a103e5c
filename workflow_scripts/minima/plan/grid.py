"""The grid: a block expands into cells, every field explicit, in the order of its axes."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from math import prod
from typing import Any, NamedTuple, get_type_hints

from pydantic import BaseModel, TypeAdapter, ValidationError

from minima.plan import parts
from minima.plan.combinations import impossible
from minima.plan.config import Block, SeedRange, Training
from minima.plan.digest import canonical, digest
from minima.plan.marks import variables
from minima.plan.mistakes import ConfigError, Mistake, explain, unknown
from minima.plan.recipes import DataRecipe, Recipe

SECTION_TYPES = {"data": DataRecipe} | {
    name: get_type_hints(Training, include_extras=True)[name] for name in Training.model_fields
}
SECTIONS = tuple(sorted([*SECTION_TYPES, "seed"]))
SEED = SECTIONS.index("seed")


@parts.remembered
def reserved() -> set[str]:
    """`reserved` returns the names that every dataset has already: its other dimensions, and what a cell
    stores."""
    stored = variables()
    dims = {dim for variable in stored.values() for dim in variable.dims}
    return {"cell", "seed", "split", "predictor", *dims, *stored}


class Section(NamedTuple):
    """`Section` is one validated section of a cell: model, values, their JSON, and the JSON of the fields
    that a pack shares."""

    model: Any
    values: Any
    json: str
    shared: str


@dataclass(frozen=True)
class Cell:
    """One fully specified training run."""

    sections: tuple[Section, ...]  # in the order of SECTIONS
    start: "Cell | None" = None  # the cell whose end it starts from

    @cached_property
    def json(self) -> str:
        """The canonical JSON of all fields."""
        pairs = zip(SECTIONS, self.sections, strict=True)
        return "{" + ",".join([f'"{name}":{section.json}' for name, section in pairs]) + "}"

    @cached_property
    def digest(self) -> str:
        return digest(self.json)

    @cached_property
    def group(self) -> str:
        """Digest of the fields that a pack shares."""
        return digest(",".join([section.shared for section in self.sections]))

    @property
    def of_any_seed(self) -> tuple[str, ...]:
        """`of_any_seed` returns the JSON of all fields but the seed: the same for cells that differ in
        nothing else."""
        return tuple([section.json for section in self.sections[:SEED] + self.sections[SEED + 1 :]])

    @property
    def generation(self) -> int:
        """`generation` returns how many cells must be trained before this one: 0 for a cell that starts
        afresh."""
        return 0 if self.start is None else 1 + self.start.generation

    def written(self, section: str) -> str:
        """`written` returns a section as JSON."""
        return self.sections[SECTIONS.index(section)].json

    def shared(self, section: str) -> str:
        """`shared` returns the JSON of a section's fields that a pack shares."""
        return self.sections[SECTIONS.index(section)].shared

    @property
    def values(self) -> dict[str, Any]:
        return {name: section.values for name, section in zip(SECTIONS, self.sections, strict=True)}

    def __getitem__(self, section: str) -> Any:
        return self.sections[SECTIONS.index(section)].values

    def part(self, section: str) -> Any:
        """`part` returns a section as its validated options."""
        return self.sections[SECTIONS.index(section)].model

    @property
    def recipe(self) -> Recipe:
        return self.sections[SECTIONS.index("data")].model

    @property
    def split(self) -> int:
        """Which draw of the data the cell sees."""
        split = self["data"]["split"]
        if isinstance(split, dict):
            return self["seed"] // split["seeds_each"]
        return self["seed"] if split == "seed" else split


@dataclass(frozen=True)
class Axis:
    """One dimension of a block."""

    path: str
    dimension: str
    labels: tuple[Any, ...]  # coordinates of the dataset
    values: tuple[Any, ...]  # what is set at `path`


@dataclass(frozen=True)
class Grid:
    """A block, expanded: cells in C order of the axes, seed last."""

    axes: tuple[Axis, ...]
    cells: tuple[Cell, ...]

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(len(axis.labels) for axis in self.axes)


def by_group(cells: Iterable[Cell]) -> dict[str, list[Cell]]:
    """`by_group` returns group → its cells, groups and cells in the order in which they come."""
    groups: dict[str, list[Cell]] = {}
    for cell in cells:
        groups.setdefault(cell.group, []).append(cell)
    return groups


def expand(block: Block, recipes: Mapping[str, BaseModel], path: str = "block") -> Grid:
    """All cells of `block`. Raises `ConfigError` with every mistake in its axes."""
    base = {name: getattr(block, name) for name in Training.model_fields if name in block.model_fields_set}
    base = _with_defaults(block, {name: _set_by_user(value) for name, value in base.items()})
    base["data"] = _set_by_user(recipes[block.data])
    axes = _read_axes(block, base, recipes, path)
    per_section: dict[str, list[Section]] = {}
    mistakes: list[Mistake] = []
    for name in SECTION_TYPES:
        mine = [axis for axis in axes if axis.path.split(".")[0] == name]
        try:
            per_section[name] = [
                _section(name, base, dict(zip([axis.path for axis in mine], values, strict=True)))
                for values in product(*(axis.values for axis in mine))
            ]
        except ValidationError as error:  # each axis alone was fine: two of them do not go together
            together = " × ".join(axis.path for axis in mine) or name
            mistakes += [
                Mistake(f"{path}.axes ({together})", m.reason)
                for m in explain(error, SECTION_TYPES[name], None)
            ]
            continue
        # Also behind two labels, or in two recipes: a cell has one place in the dataset.
        if len({section.json for section in per_section[name]}) < len(per_section[name]):
            together = " × ".join(axis.path for axis in mine)
            mistakes.append(Mistake(f"{path}.axes ({together})", f"the same {name} twice"))
    if not mistakes:
        mistakes += [Mistake(path, reason) for reason in impossible(per_section)]
    if mistakes:
        raise ConfigError(mistakes)
    seeds = [Section(seed, seed, str(seed), "") for seed in block.seed.values()]
    seed_axis = Axis("seed", "seed", tuple(block.seed.values()), tuple(block.seed.values()))
    return Grid((*axes, seed_axis), tuple(_product(axes, per_section, seeds)))


def _product(axes: Sequence[Axis], per_section: Mapping[str, list[Section]], seeds: list[Section]):
    """Cells in C order. A section's variant is a mixed-radix number of its own axes' positions, so that a
    cell costs a few list look-ups and no validation."""
    numbers = [range(len(axis.values)) for axis in axes]
    strides: list[list[tuple[int, int]]] = []
    for name in SECTIONS:
        mine = [i for i, axis in enumerate(axes) if axis.path.split(".")[0] == name]
        strides.append([(i, prod(len(numbers[j]) for j in mine if j > i)) for i in mine])
    variants = [per_section.get(name, []) for name in SECTIONS]
    for position in product(*numbers):
        chosen = [
            options[sum(position[i] * stride for i, stride in own)] if options else None
            for options, own in zip(variants, strides, strict=True)
        ]
        for seed in seeds:
            chosen[SEED] = seed
            yield Cell(tuple(chosen))


@parts.remembered
def _adapter(section: str) -> TypeAdapter:
    """`_adapter` returns what validates a section, of the parts that there are."""
    return TypeAdapter(SECTION_TYPES[section])


_read: dict[tuple[str, str], Section] = {}
parts.on_change(_read.clear)


def _section(name: str, base: Mapping[str, Any], settings: Mapping[str, Any]) -> Section:
    """The section `name` of `base` with `settings` (path → value) put in, parents before children."""
    value = base[name] if name in base else _default(name)
    for path in sorted(settings, key=lambda path: path.count(".")):
        value = _with(value, path.split(".")[1:], settings[path])
    if (key := (name, repr(value))) not in _read:  # most sections of a config are those of other blocks too
        adapter = _adapter(name)
        model = adapter.validate_python(value)
        values = adapter.dump_python(model, mode="json")
        _read[key] = Section(model, values, canonical(values), canonical(_shared(model, values)))
    return _read[key]


def _with(value: Any, keys: Sequence[str], leaf: Any) -> Any:
    """`_with` returns a copy of `value` with `leaf` at `keys`."""
    if not keys:
        return leaf
    inner = value if isinstance(value, dict) else {}
    return inner | {keys[0]: _with(inner.get(keys[0]), keys[1:], leaf)}


def _shared(model: Any, values: Any) -> Any:
    """The values without the fields marked VARIES."""
    if not isinstance(model, BaseModel):
        return values
    fields = {field.alias or name: (name, field) for name, field in type(model).model_fields.items()}
    return {
        key: _shared(getattr(model, fields[key][0]), value)
        for key, value in values.items()
        if not (fields[key][1].json_schema_extra or {}).get("varies")
    }


def _set_by_user(value: Any) -> Any:
    """`_set_by_user` returns only what the user wrote, without defaults: an axis may choose another
    optimizer, which has other defaults."""
    return value.model_dump(exclude_unset=True) if isinstance(value, BaseModel) else value


def _with_defaults(block: Block, base: dict[str, Any]) -> dict[str, Any]:
    """`_with_defaults` fills in what a block means where it says nothing, if all its kinds of network mean
    the same."""
    networks = _mapping(block.axes.get("network")).values() or [base.get("network")]
    kinds = block.axes.get("network.kind") or [_mapping(network).get("kind") for network in networks]
    if not isinstance(kinds, list) or any(kind not in parts.names("models") for kind in kinds):
        return base
    first, *others = (parts.declaration("models", kind).DEFAULTS for kind in kinds)
    if any(other != first for other in others):
        return base
    return base | {
        name: default | _mapping(base.get(name)) if isinstance(default, dict) else base.get(name, default)
        for name, default in first.items()
    }


def _mapping(value: Any) -> dict:
    return value if isinstance(value, dict) else {}


def _default(name: str) -> Any:
    return _set_by_user(Training.model_fields[name].default)


def _read_axes(
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
            raw = _with(base.get(section, {}), keys, value)
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
        return _section(name, base, setting).values
    except ValidationError:
        if not company:
            raise
    return _section(name, base, company | setting).values


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
    return labels or names, tuple(_set_by_user(recipes[name]) for name in names)


def _labels_and_values(given: Any, where: str) -> tuple[tuple[str, ...], tuple[Any, ...]]:
    """A list gives values; {start, count} whole numbers; another mapping labels and values."""
    if isinstance(given, dict) and set(given) == {"start", "count"}:
        try:
            return (), tuple(SeedRange.model_validate(given).values())
        except ValidationError as error:
            raise ConfigError(explain(error, SeedRange, given, where)) from None
    if isinstance(given, dict) and given:
        return tuple(map(str, given)), tuple(given.values())
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
