"""Fingerprints: a digest of the code that something really uses.

The code of a module is its syntax tree without comments and docstrings, printed back; the code that a
module uses is its own and that of every module of minima it imports, however indirectly. What stands under
`if TYPE_CHECKING:`, there for type hints alone, is no code.
"""

import ast
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from minima.forms import declared, forms_of, probe_module
from minima.plan.digest import digest

if TYPE_CHECKING:
    from minima.plan.grid import Cell

PACKAGE = Path(__file__).parents[1]


def training_modules(cell: Mapping) -> list[str]:
    """Where the code of a cell's training starts: the engine's core and the modules that the cell names."""
    network, optimizer = cell["network"], cell["optimizer"]
    return [
        "minima.training.cells",
        f"minima.engine.models.{network['kind']}",
        *([f"minima.engine.activations.{network['activation']}"] if "activation" in network else []),
        *forms_of(network),
        *(f"minima.engine.inits.{cell['init'][name]}" for name in ("scheme", "draw") if name in cell["init"]),
        f"minima.engine.losses.{cell['loss']}",
        f"minima.engine.optimizers.{optimizer['name']}",
        *([f"minima.engine.schedules.{optimizer['schedule']['kind']}"] if "schedule" in optimizer else []),
        *(["minima.engine.augment"] if any(cell["augment"].values()) else []),
        *map(probe_module, cell["record"]["probes"]),
        *(["minima.training.predictions"] if cell["predict"] else []),
        *(f"minima.theory.predictors.{predictor}" for predictor in cell["predict"]),
    ]


def cell_fingerprint(cell: "Cell") -> str:
    """`cell_fingerprint` returns the fingerprint of a cell's training."""
    return fingerprint(training_modules(cell.values))


def preparing_modules(recipe: Mapping) -> list[str]:
    """`preparing_modules` returns where the code that prepares a recipe starts: what all recipes share and
    the modules that this one names."""
    return [
        "minima.data.splits",
        "minima.data.files",
        f"minima.data.sources.{recipe['source']}",
        *(["minima.data.confusion"] if recipe["confusion"] else []),
    ]


def reference_modules(kinds: Iterable[str], activation: str) -> list[str]:
    """`reference_modules` returns where the code that fits references of these kinds starts."""
    modules = [f"minima.theory.references.{kind}" for kind in kinds]
    of_networks = any(declared(module, "OF_NETWORKS") for module in modules)
    own = [f"minima.theory.activations.{activation}"] if of_networks else []
    return ["minima.jobs.fit_reference", *modules, *own]


def fingerprint(modules: Iterable[str]) -> str:
    """One digest of all code that these modules use."""
    return digest("".join(f"{name}{code}" for name, code in sorted(code_used(modules).items())))


def code_used(modules: Iterable[str]) -> dict[str, str]:
    """Module name → digest of its code, for the modules and all that they import from minima."""
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found[name], imports = _read(_path(name))
            waiting += imports
    return found


@cache
def _read(path: Path) -> tuple[str, tuple[str, ...]]:
    """`_read` returns the digest of a module's code and the modules of minima that it imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_for_type_hints(node)]
    imports: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            # `from minima.theory import kernels` names a module, `from minima.store import write` a function
            below = {f"{node.module}.{alias.name}" for alias in node.names}
            imports |= {node.module} | {child for child in below if _path(child).exists()}
        _drop_docstring(node)
    return digest(ast.unparse(tree)), tuple(
        i for i in imports if i.startswith("minima.") and _path(i).exists()
    )


def _is_for_type_hints(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse


def _path(module: str) -> Path:
    path = PACKAGE.joinpath(*module.split(".")[1:])
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _drop_docstring(node: ast.AST) -> None:
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and node.body:
        first = node.body[0]
        if (
            isinstance(first, ast.Expr)
            and isinstance(first.value, ast.Constant)
            and isinstance(first.value.value, str)
        ):
            node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
