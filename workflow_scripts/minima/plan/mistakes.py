"""Mistakes of a config: each has a path, a reason and, where a known word is near, that word."""

from collections.abc import Iterable, Iterator, Sequence
from difflib import get_close_matches
from typing import Any, NamedTuple, get_args

from pydantic import BaseModel, Tag, ValidationError
from pydantic.fields import FieldInfo

from minima.plan.options import NAME_PATTERN, SHA256_PATTERN

REASONS = {
    "missing": "is missing",
    "model_type": "should be a mapping",
    "model_attributes_type": "should be a mapping",
    "dict_type": "should be a mapping",
}
PATTERNS = {
    NAME_PATTERN: "names are lower case: a letter, then letters, digits and _",
    SHA256_PATTERN: "should be the 64 digits that sha256sum prints",
}

Member = tuple[str | None, type[BaseModel]]  # of a union: what it is called there, and the model


class Mistake(NamedTuple):
    path: str
    reason: str

    def __str__(self) -> str:
        return f"{self.path}: {self.reason}"


class ConfigError(ValueError):
    """All mistakes of a config at once."""

    def __init__(self, mistakes: Iterable[Mistake]) -> None:
        self.mistakes = list(dict.fromkeys(mistakes))
        count = "1 mistake" if len(self.mistakes) == 1 else f"{len(self.mistakes)} mistakes"
        lines = "\n".join(f"  {mistake}" for mistake in self.mistakes)
        super().__init__(f"The config has {count}:\n{lines}\nEvery option: config/README.md")


def unknown(word: object, known: Iterable[str], what: str = "") -> str:
    """`'widht' is no …; did you mean 'width'?`, with all choices where none is near."""
    known = [str(choice) for choice in known]
    near = get_close_matches(str(word), [choice for choice in known if choice != str(word)], n=1, cutoff=0.6)
    hint = f"did you mean '{near[0]}'?" if near else f"known: {', '.join(known) or 'none'}"
    return f"'{word}' is {what or 'not an option'} ({hint})"


def explain(error: ValidationError, kind: Any, raw: Any, prefix: str = "") -> list[Mistake]:
    """pydantic's errors about `raw`, read as the type `kind`, with paths as the user wrote them."""
    return [_explain_one(detail, _members(kind), raw, prefix) for detail in error.errors(include_url=False)]


def _explain_one(detail: Any, members: list[Member], raw: Any, prefix: str) -> Mistake:
    location, kind, context = detail["loc"], detail["type"], detail.get("ctx", {})
    if location and location[-1] == "[key]":
        location = location[:-1]
    path = _path(raw, location, prefix, kind == "missing")
    if kind == "extra_forbidden":
        return Mistake(path, unknown(location[-1], _keys_at(members, location[:-1])))
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        field = context["discriminator"].strip("'").removesuffix("()")
        if kind == "union_tag_not_found":
            return Mistake(f"{path}.{field}".lstrip("."), REASONS["missing"])
        choices = [choice.strip(" '") for choice in context["expected_tags"].split(",")]
        return Mistake(f"{path}.{field}".lstrip("."), unknown(context["tag"], choices))
    if kind == "literal_error":
        choices = [choice.strip(" '") for choice in context["expected"].replace(" or ", ", ").split(",")]
        return Mistake(path, unknown(detail["input"], choices))
    if kind == "too_short":
        return Mistake(path, f"needs at least {context['min_length']} of them, not {_short(detail['input'])}")
    if kind == "value_error":
        return Mistake(path, str(context["error"]))
    reason = REASONS.get(kind) or PATTERNS.get(context.get("pattern")) or _lower_first(detail["msg"])
    return Mistake(path, reason if kind == "missing" else f"{reason}, not {_short(detail['input'])}")


def _lower_first(message: str) -> str:
    message = message.removeprefix("Input ")
    return message[:1].lower() + message[1:]


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "…"


def _path(raw: Any, location: Sequence[str | int], prefix: str, missing: bool) -> str:
    """The location without the tags that pydantic adds for unions: what is not in `raw` is skipped,
    except the last part where that is the `missing` key."""
    parts = [prefix] if prefix else []
    for position, part in enumerate(location):
        if _holds(raw, part):
            raw = raw[part]
        elif not missing or position < len(location) - 1 or not isinstance(raw, dict):
            continue
        parts.append(str(part))
    return ".".join(parts) or "config"


def _holds(raw: Any, part: str | int) -> bool:
    if isinstance(raw, list | tuple):
        return isinstance(part, int) and part < len(raw)
    return isinstance(raw, dict) and part in raw


def _keys_at(members: list[Member], location: Sequence[str | int]) -> list[str]:
    """The keys that may stand at a location: fields of the models there (of all members of a union)."""
    for part in location:
        fields = [field for _, owner in members if (field := owner.model_fields.get(str(part)))]
        inner = [member for field in fields for member in _members_of(field)]
        members = inner or [member for member in members if member[0] == part] or members
    fields = (field for _, model in members for field in model.model_fields.items())
    return list(dict.fromkeys(field.alias or name for name, field in fields))


def _members(annotation: Any, tag: str | None = None) -> list[Member]:
    """The models that a type is made of, and what a union calls each: its tag, or the only value of its
    `source` or `kind`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [(tag or _only_value(annotation), annotation)]
    marks = getattr(annotation, "__metadata__", ())
    tags = [mark.tag for mark in marks if isinstance(mark, Tag)]
    return [*_listed(marks), *(member for part in get_args(annotation) for member in _members(part, *tags))]


def _members_of(field: FieldInfo) -> list[Member]:
    return [*_listed(field.metadata), *_members(field.annotation)]


def _listed(marks: Iterable[Any]) -> Iterator[Member]:
    """`_listed` yields the members that an annotation itself names, as those of `minima.plan.parts` do."""
    for mark in marks:
        if hasattr(mark, "members"):
            yield from mark.members().items()


def _only_value(model: type[BaseModel]) -> str | None:
    for name in ("source", "kind"):
        field = model.model_fields.get(name)
        if field and len(choices := get_args(field.annotation)) == 1:
            return choices[0]
    return None


def models_in(field: FieldInfo) -> list[type[BaseModel]]:
    """`models_in` returns the models that a field may hold."""
    return [model for _, model in _members_of(field)]
