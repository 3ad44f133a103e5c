"""Modules in files of the user's own: where these are looked for, and what is wrong with one, as far as its
syntax tree tells.

A file is named relative to the config, so that no cell's key knows a path of the machine. What such a file
imports beside itself is its code, too.
"""

import ast
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from minima.plan import parts
from minima.plan.mistakes import unknown

PREFIX = "file:"  # of the name of such a module: file:my_net.py, file:my_net.py:blocks.attention

_folders: list[Path] = []
_looks = [0]


def look_in(folders: Sequence[str | Path]) -> None:
    """`look_in` lets files be looked for in these folders, before those of extensions and the working
    directory. What was read of files before is read anew."""
    _folders[:] = map(Path, folders)
    _looks[0] += 1


def looks() -> int:
    """`looks` returns how often files were looked for anew: what is remembered of them depends on it."""
    return _looks[0]


def path_of(file: str) -> Path:
    """`path_of` returns where a file stands, or would be looked for first."""
    places = [folder / file for folder in _places()]
    return next((place for place in places if place.is_file()), places[0])


def _places() -> list[Path]:
    return [*_folders, *parts.extensions(), Path.cwd()]


def source_of(module: str) -> tuple[Path, list[str]]:
    """`source_of` returns the file of a module by its name, and the package that it stands in, within the
    folder of the user's file."""
    file, _, dotted = module.removeprefix(PREFIX).partition(":")
    path = path_of(file)
    if not dotted:
        return path, []
    found = _beside(path.parent, dotted)
    return found, dotted.split(".")[: None if found.name == "__init__.py" else -1]


def _beside(folder: Path, dotted: str) -> Path:
    place = folder.joinpath(*dotted.split("."))
    return place / "__init__.py" if place.is_dir() else place.with_suffix(".py")


def imports_beside(module: str, imports: Sequence[tuple[int, str]]) -> list[str]:
    """`imports_beside` returns the names of the modules beside a user's file among what a module imports,
    each given as its level and dotted name; the packages around a module are imported with it."""
    _, package = source_of(module)
    file = module.removeprefix(PREFIX).partition(":")[0]
    folder, found = path_of(file).parent, {}
    for level, dotted in imports:
        base = package[: len(package) - level + 1] if level else []
        names = [*base, *filter(None, dotted.split("."))]
        for end in range(1, len(names) + 1):
            name = ".".join(names[:end])
            if _beside(folder, name).is_file():
                found[f"{PREFIX}{file}:{name}"] = None
    return [*found]


def problem(file: str, name: str, args: Mapping[str, Any]) -> str:
    """`problem` returns why a class of a file cannot be called with these arguments, "" where nothing speaks
    against it. Nothing of the file is run."""
    path = path_of(file)
    if not path.is_file():
        where = ", ".join(dict.fromkeys(map(str, _places())))
        return f"network.file: there is no {file} in {where}"
    try:
        tree = _tree(path, looks())
    except (SyntaxError, ValueError, UnicodeDecodeError) as error:
        at = f" in line {error.lineno}" if isinstance(error, SyntaxError) and error.lineno else ""
        return f"network.file: {path} does not parse{at}: {getattr(error, 'msg', error)}"
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    if name not in classes and name not in _bound(tree):
        return f"network.name: {unknown(name, classes, f'no class of {file}')}"
    return next(_wrong_arguments(classes[name], args), "") if name in classes else ""


@cache
def _tree(path: Path, looks: int) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _bound(tree: ast.Module) -> set[str]:
    """`_bound` returns the names that a module binds beside its classes: it may take a class over."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in node.names}
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef):
            found.add(node.name)
    return found


def _wrong_arguments(cls: ast.ClassDef, args: Mapping[str, Any]) -> Iterator[str]:
    """`_wrong_arguments` yields what the class's own `__init__` does not take, and what it lacks; a class
    without one is asked when it is made."""
    for node in cls.body:
        if isinstance(node, ast.FunctionDef) and node.name == "__init__":
            break
    else:
        return
    given = node.args
    plain = [*given.posonlyargs, *given.args][1:]
    known = [argument.arg for argument in (*plain, *given.kwonlyargs)]
    if not given.kwarg:
        for word in args:
            if word not in known:
                yield f"network.args: {unknown(word, known, f'no argument of {cls.name}')}"
    needed = [argument.arg for argument in plain[: len(plain) - len(given.defaults)]]
    needed += [
        a.arg for a, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None
    ]
    if missing := [word for word in needed if word not in args]:
        yield f"network.args: {cls.name} needs {' and '.join(missing)}"
