"""The parts that a config names, each a module of its own: where they stand, and what they declare.

A part is an optimizer, schedule, model, activation, init, loss, probe, predictor, reference, source, estimand
or figure: one module, named like the part, in a folder of its kind. Folders of a user's own (`extensions` of
the config) hold subfolders of the same names, whose modules join ours. A part declares itself by a class that
subclasses the base of its kind: its options, and what the plan must know of it. What the code needs of torch
or NumPy it imports where it computes, so that the plan loads neither.
"""

import re
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib import import_module, invalidate_caches
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, NamedTuple, ParamSpec, TypeVar, Union, get_args

from pydantic import ConfigDict, Field, GetCoreSchemaHandler, GetJsonSchemaHandler, Tag, create_model
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from minima.plan.mistakes import ConfigError, Mistake
from minima.plan.options import Options, tagged


class Kind(NamedTuple):
    """`Kind` is what the parts of a folder have in common: what one of them is called, their packages, the
    first of which an extension's folder joins, whether each declares itself by a class, and the option by
    which a config names one among others."""

    noun: str
    packages: tuple[str, ...]
    declared: bool = True
    tag: str = ""


KINDS = {
    "optimizers": Kind("optimizer", ("minima.engine.optimizers",), tag="name"),
    "schedules": Kind("schedule", ("minima.engine.schedules",), tag="kind"),
    "rates": Kind("learning rate", ("minima.theory.rates",), tag="rate"),
    "models": Kind("network", ("minima.engine.models",), tag="kind"),
    "activations": Kind("activation", ("minima.engine.activations",), declared=False),
    "inits": Kind("initialization", ("minima.engine.inits",), tag="scheme"),
    "losses": Kind("loss", ("minima.engine.losses",)),
    "probes": Kind("probe", ("minima.engine.probes", "minima.theory.probes")),
    "predictors": Kind("predictor", ("minima.theory.predictors",)),
    "references": Kind("reference", ("minima.theory.references",)),
    "sources": Kind("source", ("minima.data.sources",), tag="source"),
    "estimands": Kind("module of estimands", ("minima.findings.estimands",), declared=False),
    "figures": Kind("kind of figure", ("minima.findings.figures",), declared=False),
}
STUDIES = "studies"  # folders, not modules: each a whole question
# Package → the folder of an extension that joins it.
JOINED = {kind.packages[0]: name for name, kind in KINDS.items()} | {STUDIES: STUDIES}
NAME = re.compile(r"[a-z][a-z0-9_]*")


class Part(Options):
    """What every part declares: options, and what the plan must know."""

    model_config = ConfigDict(defer_build=True)  # until extensions have joined the parts

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        _classes.setdefault(cls.__module__, {})[cls.__name__] = cls
        if (tag := _tag(cls)) and tag not in cls.__annotations__:
            cls.__annotations__ = {**cls.__annotations__, tag: Literal[cls.called()]}
            first = " ".join((cls.__doc__ or "").split()).partition(". ")[0].removesuffix(".")
            setattr(cls, tag, Field(cls.called(), description=f"{first}."))

    @classmethod
    def called(cls) -> str:
        """`called` returns the part's name."""
        return cls.__module__.rpartition(".")[2]

    @classmethod
    def said(cls) -> str:
        """`said` returns the first line of the docstring, as it stands within a sentence."""
        line = (cls.__doc__ or "").strip().split("\n")[0].removesuffix(".")
        return line if line[1:2].isupper() else line[:1].lower() + line[1:]

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        """`impossible` yields why this part cannot go with the rest of a cell, whose sections `cell` holds as
        plain values, each reason with the path of what must change."""
        return iter(())


_P, _R = ParamSpec("_P"), TypeVar("_R")
_forgetting: list[Callable[[], Any]] = []
_made: list[Callable[[], Any]] = []


def on_change(make_again: Callable[[], Any]) -> Callable[[], Any]:
    """`on_change` has `make_again` called whenever parts have joined or left, for what is made of them."""
    _made.append(make_again)
    return make_again


def remembered(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """`remembered` is `functools.cache` for what depends on the parts that there are."""
    cached = cache(function)
    _forgetting.append(cached.cache_clear)
    return cached


_classes: dict[str, dict[str, type[Part]]] = {}  # module → the classes that it declares
_ours: dict[str, list[str]] = {}  # package → its path without extensions
_in_use: list[Path] = []  # extensions


def kind_of(module: str) -> Kind | None:
    """`kind_of` returns the kind of the part that a module is; None for a module that is no part."""
    package = module.rpartition(".")[0]
    return next((kind for kind in KINDS.values() if package in kind.packages), None)


def names(kind: str) -> list[str]:
    """`names` returns the parts of a kind in order of their names, none of them imported."""
    return [*_files(kind)]


@remembered
def _files(kind: str) -> dict[str, tuple[str, Path]]:
    """`_files` returns part → its module's name and file, in order of the names."""
    found: dict[str, tuple[str, Path]] = {}
    mistakes = []
    for package in KINDS[kind].packages:
        for folder in import_module(package).__path__:
            for path in sorted(Path(folder).glob("*.py")):
                name = path.stem
                if name.startswith("_"):
                    continue
                if name in found:
                    there = found[name][1]
                    mistakes.append(
                        Mistake(str(path), f"the {KINDS[kind].noun} '{name}' stands in {there} too")
                    )
                if not NAME.fullmatch(name):
                    mistakes.append(Mistake(str(path), "names of parts are lower case letters, digits and _"))
                found[name] = f"{package}.{name}", path
    if mistakes:
        raise ConfigError(mistakes)
    return dict(sorted(found.items()))


def module_name(kind: str, name: str) -> str:
    """`module_name` returns the dotted name of a part's module."""
    return _files(kind)[name][0]


def file_of(kind: str, name: str) -> Path:
    """`file_of` returns the file of a part's module."""
    return _files(kind)[name][1]


@remembered
def load(kind: str, name: str) -> ModuleType:
    """`load` returns a part's module. Raises `ConfigError` with file and line where it does not import."""
    module, path = _files(kind)[name]
    try:
        return import_module(module)
    except ConfigError:
        raise
    except Exception as error:
        raise ConfigError([_does_not_import(path, error)]) from error


def _does_not_import(path: Path, error: Exception) -> Mistake:
    if isinstance(error, SyntaxError):
        line, what = error.lineno, error.msg
    else:
        frames = traceback.extract_tb(error.__traceback__)
        line, what = max((f.lineno or 0 for f in frames if f.filename == str(path)), default=0), error
    where = f"{path}:{line}" if line else str(path)
    return Mistake(where, f"does not import: {type(error).__name__}: {what}")


@remembered
def options(kind: str) -> dict[str, type[Part]]:
    """`options` returns part → the class by which it declares itself, for all parts of a kind. Raises
    `ConfigError` with every part that cannot be imported or has no such class."""
    found: dict[str, type[Part]] = {}
    mistakes: list[Mistake] = []
    for name in names(kind):
        try:
            found[name] = declaration(kind, name)
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    return found


@remembered
def declaration(kind: str, name: str) -> type[Part]:
    """`declaration` returns the class by which a part declares itself: the one of its module that subclasses
    the base of its kind."""
    load(kind, name)
    module, path = _files(kind)[name]
    own = [cls for cls in _classes.get(module, {}).values() if not cls.__name__.startswith("_")]
    if len(own) != 1:
        count = f"{len(own)} classes" if own else "no class"
        noun = KINDS[kind].noun
        raise ConfigError([Mistake(f"{path}:1", f"has {count} with the options of the {noun} '{name}'")])
    if tag := KINDS[kind].tag:
        named = get_args(own[0].model_fields[tag].annotation)
        if named != (name,):
            told = f"the options of the {KINDS[kind].noun} '{name}' name it '{' or '.join(named)}'"
            raise ConfigError([Mistake(str(path), told)])
    return own[0]


@remembered
def mark(kind: str, name: str) -> Part:
    """`mark` returns a part that has no options, as a cell names it."""
    return declaration(kind, name)()


def _tag(cls: type[Part]) -> str:
    """`_tag` returns the option by which a config names the part that a class declares; "" for what parts
    share, and where parts have no such option."""
    kind = kind_of(cls.__module__)
    return kind.tag if kind else ""


@dataclass(frozen=True)
class OneOf:
    """`OneOf` annotates a field that holds the options of one part, told by the field `tag`; what does not
    name it is the part `default`."""

    kind: str
    tag: str
    default: str | None = None

    def members(self) -> dict[str, type[Part]]:
        """`members` returns what the field may hold, by name."""
        return options(self.kind)

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        for cls in self.members().values():
            cls.model_rebuild()  # once: else each union of parts makes their schemas anew
        parts = tuple(Annotated[cls, Tag(name)] for name, cls in self.members().items())
        union = Union[parts]  # noqa: UP007 a | of many
        return handler.generate_schema(Annotated[union, tagged(self.tag, self.default)])


@dataclass(frozen=True)
class EachOf:
    """`EachOf` annotates a field that maps parts of a kind to their options."""

    kind: str

    def members(self) -> dict[str | None, type[Options]]:
        """`members` returns the model of the whole mapping."""
        return {None: each_of(self.kind)}

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(each_of(self.kind))


@remembered
def each_of(kind: str) -> type[Options]:
    """`each_of` returns a model with a field per part of a kind, each None where it is not named."""
    fields = {
        name: (cls | None, Field(None, description=(cls.__doc__ or "").strip().split("\n")[0]))
        for name, cls in options(kind).items()
    }
    doc = f"Options by {KINDS[kind].noun}; what is not named is left out."
    return create_model(kind.capitalize(), __base__=Options, __doc__=doc, **fields)


@dataclass(frozen=True)
class NameOf:
    """`NameOf` annotates a field that holds the name of a part."""

    kind: str

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        return handler.generate_schema(Literal[tuple(names(self.kind))])

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        return handler(schema) | ({"description": said} if (said := self.said()) else {})

    def said(self) -> str:
        """`said` returns what each part is, where these parts say it."""
        if not KINDS[self.kind].declared:
            return ""
        return "; ".join(f"{name}: {cls.said()}" for name, cls in options(self.kind).items()) + "."


def beside(config_files: Sequence[str | Path]) -> list[str]:
    """`beside` returns the whole paths of the folders in which config files stand."""
    return list(dict.fromkeys(str(Path(file).absolute().parent) for file in config_files))


def located(folders: str | Sequence[str], config_files: Sequence[str | Path]) -> list[str]:
    """`located` returns the whole paths of folders that a config names: beside the config file, the last one
    that has the folder there, else in the working directory."""
    homes = [*(Path(file).absolute().parent for file in reversed(config_files)), Path.cwd()]
    return [
        str(next((home / folder for home in homes if (home / folder).is_dir()), Path(folder)))
        for folder in ([folders] if isinstance(folders, str) else folders)
    ]


def extend(folders: Sequence[str | Path]) -> None:
    """`extend` lets the parts and studies of these folders, and of no others, join ours. Raises `ConfigError`
    where one is no folder or holds none of the subfolders that are read."""
    wanted = [Path(folder).resolve() for folder in folders]
    if wanted == _in_use:
        return
    known = [*KINDS, STUDIES]
    mistakes = []
    for folder in wanted:
        if not folder.is_dir():
            mistakes.append(Mistake("extensions", f"there is no folder {folder}"))
        elif not any((folder / name).is_dir() for name in known):
            mistakes.append(Mistake("extensions", f"{folder} has none of the folders {', '.join(known)}"))
    if mistakes:
        raise ConfigError(mistakes)
    for package, name in JOINED.items():
        path = import_module(package).__path__
        ours = _ours.setdefault(package, list(path))
        path[:] = [*ours, *(str(folder / name) for folder in wanted if (folder / name).is_dir())]
        for module in [*sys.modules]:
            if module.startswith(f"{package}.") and not _still_there(sys.modules[module], path):
                del sys.modules[module]
                _classes.pop(module, None)
    _in_use[:] = wanted
    invalidate_caches()
    for forget in _forgetting:
        forget()
    for name, kind in KINDS.items():
        try:
            _ = options(name) if kind.declared else names(name)
        except ConfigError as error:
            mistakes += error.mistakes
    if mistakes:
        raise ConfigError(mistakes)
    for classes in [*_classes.values()]:
        for cls in classes.values():
            cls.model_rebuild(force=True)
    for make_again in _made:
        make_again()


def extensions() -> list[Path]:
    """`extensions` returns the folders that have joined."""
    return [*_in_use]


def joined(module: str) -> Iterator[Path]:
    """`joined` yields where extensions would hold a module: its path without the ending."""
    for package, name in JOINED.items():
        if module.startswith(f"{package}."):
            tail = module.removeprefix(f"{package}.").split(".")
            yield from (folder.joinpath(name, *tail) for folder in _in_use)


def _still_there(module: ModuleType, path: Sequence[str]) -> bool:
    file = getattr(module, "__file__", None)
    return file is None or any(file.startswith(f"{folder}/") for folder in path)
