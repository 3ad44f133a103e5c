"""Studies that are folders: where they stand, and which modules are theirs alone.

A folder of `studies` is a study of its name. It may have estimands and kinds of figures of its own, which its
claims and figures find before those of all studies.
"""

from importlib import import_module
from pathlib import Path

from minima.plan import parts


@parts.remembered
def folders() -> dict[str, Path]:
    """`folders` returns name → folder of all studies that are folders, none of them read."""
    roots = map(Path, import_module(parts.STUDIES).__path__)
    return {path.name: path for root in roots for path in sorted(root.glob("[a-z]*/"))}


def own_files(study: str, pattern: str) -> list[Path]:
    """`own_files` returns the files of a study that match a pattern; none where it is no folder."""
    return sorted(folders()[study].glob(pattern)) if study in folders() else []


def estimand_module(estimand: str) -> str:
    """`estimand_module` returns the module that holds an estimand: of the study that it names, or of all."""
    name = estimand.split(".")[0]
    own = own_files(name, "estimands.py")
    return f"studies.{name}.estimands" if own else f"minima.findings.estimands.{name}"
