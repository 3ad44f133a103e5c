"""Studies that are folders: where they stand, and which modules are theirs alone.

A folder of `studies` with a study.yaml is a study of its name. It may have estimands and kinds of figures of
its own, which its claims and figures find before those of all studies.
"""

import ast
import re
from importlib import import_module
from pathlib import Path

from minima.plan import parts
from minima.plan.mistakes import ConfigError, Mistake

HEAD = re.compile(r"^def .*?\)[^\n()]*:$", re.DOTALL | re.MULTILINE)  # of a function


@parts.remembered
def folders() -> dict[str, Path]:
    """`folders` returns name → folder of all studies that are folders, none of them read."""
    found: dict[str, Path] = {}
    mistakes = []
    for root in map(Path, import_module(parts.STUDIES).__path__):
        for folder in sorted(path.parent for path in root.glob("*/study.yaml")):
            if folder.name in found:
                there = found[folder.name]
                mistakes.append(Mistake(str(folder), f"the study '{folder.name}' stands in {there} too"))
            if not parts.NAME.fullmatch(folder.name):
                mistakes.append(Mistake(str(folder), "names of studies are lower case letters, digits and _"))
            found[folder.name] = folder
    if mistakes:
        raise ConfigError(mistakes)
    return found


def own_files(study: str, pattern: str) -> list[Path]:
    """`own_files` returns the files of a study that match a pattern; none where it is no folder."""
    return sorted(folders()[study].glob(pattern)) if study in folders() else []


def files_in(folder: Path) -> list[Path]:
    """`files_in` returns all files of a folder but hidden and compiled ones."""
    files = (path for path in sorted(folder.rglob("*")) if path.is_file())
    left_out = re.compile(r"(^|/)(\.|__pycache__)")
    return [path for path in files if not left_out.search(path.relative_to(folder).as_posix())]


def functions_of(path: Path) -> list[ast.FunctionDef]:
    """`functions_of` returns the functions of a module with their signatures, read and not imported. Raises
    `ConfigError` where the file is no Python."""
    text = path.read_text(encoding="utf-8")
    heads = HEAD.findall(text)  # alone where these are all, for every job asks this
    if len(heads) == len(re.findall("^def ", text, re.MULTILINE)):
        text = "\n".join(f"{head} ..." for head in heads)
    try:
        body = ast.parse(text).body
    except SyntaxError as error:
        raise ConfigError([Mistake(str(path), f"is no Python: {error.msg}")]) from None
    return [node for node in body if isinstance(node, ast.FunctionDef)]


def estimand_module(estimand: str) -> str:
    """`estimand_module` returns the module that holds an estimand: of the study that it names, or of all."""
    name = estimand.split(".")[0]
    own = own_files(name, "estimands.py")
    return f"studies.{name}.estimands" if own else f"minima.findings.estimands.{name}"
