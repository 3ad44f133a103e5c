"""Fingerprints: a digest of the code that something really uses.

The code of a module is its syntax tree, in which there are no comments, without docstrings; the code that a
module uses is its own and that of every module of minima it imports, however indirectly. What stands under
`if TYPE_CHECKING:`, there for type hints alone, is no code. Neither is the class by which a part declares
itself: what it says to the plan stands, value by value, in a cell's fields. A template beside a module that
names it is code, and so is what that template names.
"""

import ast
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from minima.forms import drawing_scheme, forms_of, probe_module, start_modules
from minima.plan import parts
from minima.plan.digest import digest
from minima.plan.own_modules import PREFIX, imports_beside, looks, path_of, source_of
from minima.plan.references import KernelOfNetworks

if TYPE_CHECKING:
    from minima.plan.grid import Cell
    from minima.plan.recipes import Recipe

PACKAGE = Path(__file__).parents[1]
TEMPLATE = re.compile(r"[\w.]+\.j2\b")


def training_modules(cell: Mapping) -> list[str]:
    """Where the code of a cell's training starts: the engine's core and the modules that the cell names."""
    network, optimizer = cell["network"], cell["optimizer"]
    return [
        "minima.training.cells",
        f"minima.engine.models.{network['kind']}",
        *(
            f"minima.engine.activations.{name}"
            for name in [network.get("activation")]
            if name in parts.names("activations")
        ),
        *([f"{PREFIX}{network['file']}"] if network["kind"] == "module" else []),
        *forms_of(network),
        *(f"minima.engine.inits.{scheme}" for scheme in _schemes(network, cell["init"])),
        f"minima.engine.losses.{cell['loss']}",
        f"minima.engine.optimizers.{optimizer['name']}",
        *([f"minima.engine.schedules.{optimizer['schedule']['kind']}"] if "schedule" in optimizer else []),
        *start_modules(optimizer),
        *(["minima.engine.augment"] if any(cell["augment"].values()) else []),
        *map(probe_module, cell["record"]["probes"]),
        *(["minima.training.predictions"] if cell["predict"] else []),
        *(f"minima.theory.predictors.{predictor}" for predictor in cell["predict"]),
    ]


def _schemes(network: Mapping, init: Mapping) -> set[str]:
    """`_schemes` returns the initializations that a cell uses."""
    return {init["scheme"], drawing_scheme(network, init)} | ({init["draw"]} if init.get("draw") else set())


def cell_fingerprint(cell: "Cell") -> str:
    """`cell_fingerprint` returns the fingerprint of a cell's training."""
    return fingerprint(training_modules(cell.values))


def preparing_modules(recipe: "Recipe") -> list[str]:
    """`preparing_modules` returns where the code that prepares a recipe starts: what all recipes share and
    the modules that this one names."""
    return [
        "minima.data.splits",
        "minima.data.files",
        parts.module_name("sources", recipe.source),
        *(["minima.data.confusion"] if recipe.confusion else []),
    ]


def reference_modules(kinds: Iterable[str], activation: str) -> list[str]:
    """`reference_modules` returns where the code that fits references of these kinds starts."""
    modules = [f"minima.theory.references.{kind}" for kind in kinds]
    of_networks = any(issubclass(parts.declaration("references", kind), KernelOfNetworks) for kind in kinds)
    own = [f"minima.theory.activations.{activation}"] if of_networks else []
    return ["minima.jobs.fit_reference", *modules, *own]


def fingerprint(modules: Iterable[str]) -> str:
    """`fingerprint` returns one digest of all code that these modules use."""
    return _fingerprint(PACKAGE, frozenset(modules), looks())


@parts.remembered
def _fingerprint(package: Path, modules: frozenset[str], looks: int) -> str:
    """`_fingerprint` joins modules once, however many cells name the same ones."""
    return digest("".join(f"{name}{code}" for name, code in sorted(_code_used(package, modules).items())))


def code_used(modules: Iterable[str]) -> dict[str, str]:
    """`code_used` returns module name → digest of its code, for the modules and all that they import from
    minima."""
    return _code_used(PACKAGE, modules)


def files_beside(file: str) -> dict[str, Path]:
    """`files_beside` returns a file with the user's own network and the modules that it imports beside it, by
    their places relative to the folder in which the file is looked for."""
    home = path_of(file).parent
    used = (source_of(name)[0] for name in code_used([f"{PREFIX}{file}"]) if name.startswith(PREFIX))
    return {(Path(file).parent / path.relative_to(home)).as_posix(): path for path in used}


def _code_used(package: Path, modules: Iterable[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    waiting = list(modules)
    while waiting:
        name = waiting.pop()
        if name not in found:
            code = _read_own(name, looks()) if name.startswith(PREFIX) else _read(package, name)
            found[name] = code.digest
            waiting += code.imports
    return found


class _Code(NamedTuple):
    """`_Code` is what is kept of a module: the digest of its code, the modules of minima that it imports, and
    the names in it that declare a part to the plan."""

    digest: str
    imports: tuple[str, ...]
    declares: frozenset[str]


@parts.remembered
def _read(package: Path, module: str) -> _Code:
    tree = ast.parse(_path(package, module).read_text(encoding="utf-8"))
    declares = _declarations(package, tree) if _is_part(module) else frozenset()
    tree.body = [
        node
        for node in tree.body
        if not _is_for_type_hints(node) and not (_is_part(module) and _declares(node, declares))
    ]
    found = _ours(package, _bared(tree))
    written = _written(tree)
    pages = _templates(_path(package, module).parent, written)
    return _Code(digest(written + "".join(pages[name] for name in sorted(pages))), found, declares)


def _templates(folder: Path, text: str) -> dict[str, str]:
    """`_templates` returns name → text of the templates in a folder that a text names, and those name."""
    found: dict[str, str] = {}
    waiting = TEMPLATE.findall(text)
    while waiting:
        name = waiting.pop()
        if name not in found and (folder / name).exists():
            found[name] = (folder / name).read_text(encoding="utf-8")
            waiting += TEMPLATE.findall(found[name])
    return found


@parts.remembered
def _read_own(module: str, looks: int) -> _Code:
    """`_read_own` reads a file of the user's, or a module beside it, anew whenever files are looked for."""
    path, _ = source_of(module)
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if not _is_for_type_hints(node)]
    imports = _bared(tree)
    found = (*_ours(PACKAGE, imports), *imports_beside(module, sorted(imports)))
    return _Code(digest(_written(tree)), found, frozenset())


def _bared(tree: ast.Module) -> set[tuple[int, str]]:
    """`_bared` takes the docstrings out of a tree and returns the level and dotted name of all that it
    imports."""
    _drop_docstring(tree)
    imports: set[tuple[int, str]] = set()
    for node in _statements(tree.body):
        if isinstance(node, ast.Import):
            imports |= {(0, alias.name) for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            # `from minima.theory import kernels` names a module, `from minima.store import write` a function
            home = node.module or ""
            imports |= {(node.level, home), *((node.level, f"{home}.{alias.name}") for alias in node.names)}
        elif isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            _drop_docstring(node)
    return imports


def _ours(package: Path, imports: set[tuple[int, str]]) -> tuple[str, ...]:
    """`_ours` returns the modules of minima and of studies among what a module imports."""
    named = (name for level, name in imports if not level)
    ours = (name for name in named if name.startswith(("minima.", f"{parts.STUDIES}.")))
    return tuple(name for name in ours if _path(package, name).exists())


def _statements(body: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """`_statements` yields every statement, also those within others: expressions, which are most of a tree,
    hold neither imports nor docstrings."""
    for node in body:
        yield node
        for part in ("body", "handlers", "orelse", "finalbody", "cases"):
            yield from _statements(getattr(node, part, ()))


def _written(node: Any) -> str:
    """`_written` returns a syntax tree as text: without places in the file, without what is empty and
    without `ctx`, which only repeats what stands around a name."""
    if isinstance(node, list):
        return f"[{','.join(map(_written, node))}]"
    if not isinstance(node, ast.AST):
        return repr(node)
    parts = [type(node).__name__]
    for field in node._fields:
        value = getattr(node, field, None)
        if value is not None and value != [] and field != "ctx":
            parts.append(f"{field}={_written(value)}")
    return f"({' '.join(parts)})"


def _is_for_type_hints(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING" and not node.orelse


def _is_part(module: str) -> bool:
    kind = parts.kind_of(module)
    return kind is not None and kind.declared


def _declarations(package: Path, tree: ast.Module) -> frozenset[str]:
    """`_declarations` returns the names in a part's module that declare it to the plan: what comes from
    `minima.plan`, the classes that subclass it, and such classes of other parts."""
    found: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            taken = {alias.name: alias.asname or alias.name for alias in node.names}
            if node.module.startswith("minima.plan"):
                found |= {*taken.values()}
            elif _is_part(node.module):
                found |= {taken[name] for name in taken.keys() & _read(package, node.module).declares}
        elif isinstance(node, ast.ClassDef) and any(ast.unparse(base) in found for base in node.bases):
            found.add(node.name)
    return frozenset(found)


def _declares(node: ast.AST, declarations: frozenset[str]) -> bool:
    if isinstance(node, ast.ImportFrom):
        return (node.module or "").startswith("minima.plan")
    return isinstance(node, ast.ClassDef) and node.name in declarations


@parts.remembered
def _path(package: Path, module: str) -> Path:
    """`_path` returns the file of a module of minima, of a study, or of an extension that joined them."""
    top, *names = module.split(".")
    home = package if top == "minima" else package.with_name(top)
    places = [home.joinpath(*names), *parts.joined(module)]
    files = (place / "__init__.py" if place.is_dir() else place.with_suffix(".py") for place in places)
    return next((file for file in files if file.exists()), places[0].with_suffix(".py"))


def _drop_docstring(node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
    if ast.get_docstring(node, clean=False) is not None:
        node.body[:1] = [] if len(node.body) > 1 else [ast.Pass()]
