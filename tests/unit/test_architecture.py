"""The house holds: arrows run one way, rooms use few packages (Snakemake is none of them), and every
module has a room."""

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

import minima
from minima.plan.parts import KINDS

PACKAGE = Path(minima.__file__).parent
SHARED = {"atomic", "forms", "netcdf", "streams", "variables"}  # words of all rooms; they import no room
# What each room may import beside itself and the shared words. Scripts and rules may import any.
ROOMS = {
    "plan": set(),
    "data": {"plan"},
    "store": {"plan"},
    "engine": set(),
    "theory": {"engine"},
    "training": {"engine", "theory"},
    "jobs": {"plan", "data", "store", "engine", "theory", "training"},
    "findings": {"plan", "data", "store", "engine", "theory", "training", "jobs"},
    "which": {"plan", "data", "store", "engine", "theory", "training", "jobs", "findings"},
    "console": {"plan", "data", "store", "engine", "theory", "training", "jobs", "findings"},
}
# Other people's packages that a room may use: the plan is parsed by every job, arrays know no files.
PACKAGES = {
    "plan": {"pydantic", "pydantic_core", "yaml"},
    "data": {"numpy", "pandas", "xarray", "netCDF4", "sklearn", "pydantic"},
    "store": {"numpy", "xarray", "netCDF4"},
    "engine": {"numpy", "torch"},
    "theory": {"numpy", "torch", "scipy", "sklearn"},  # its references are scikit-learn estimators
    "training": {"numpy", "torch"},
    "jobs": {"numpy", "xarray", "torch"},
    "findings": {"numpy", "scipy", "xarray", "pandas", "matplotlib", "jinja2", "markupsafe", "yaml", "PIL"},
    "which": {"numpy", "xarray", "torch", "pydantic"},
    "console": set(),
    "atomic": set(),
    "forms": set(),
    "variables": set(),
    "streams": {"numpy"},
    "netcdf": {"xarray", "netCDF4"},
}
BY_NAME = re.compile(r"""import_module\(f?["'](minima[\w.]+)""")  # import_module(f"minima.engine.inits.{…}")
NAMED_TUPLES = {"_asdict", "_fields", "_replace"}  # public, whatever their underscore says


def imports(path: Path) -> Iterator[str]:
    """Dotted names that a file imports, wherever in it, also by name."""
    text = path.read_text(encoding="utf-8")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, f"{path}: minima is imported by its whole name"
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
    yield from BY_NAME.findall(text)


def room(path: Path) -> str:
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


FILES = sorted(path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__init__")


def arrows(path: Path) -> set[str]:
    """The rooms that a file imports."""
    return {name.split(".")[1] for name in imports(path) if name.startswith("minima.")} - {room(path)}


def others(path: Path) -> set[str]:
    """The packages of others that a file imports."""
    return {name.split(".")[0] for name in imports(path)} - sys.stdlib_module_names - {"minima"}


def declares(path: Path) -> set[str]:
    """What a part's module may import beside, for the class by which it declares itself to the plan."""
    package = ".".join(path.relative_to(PACKAGE.parent).parent.parts)
    return {"plan", "pydantic"} if any(package in kind.packages for kind in KINDS.values()) else set()


def test_every_module_has_a_room():
    assert {room(path) for path in FILES} == set(ROOMS) | SHARED


@pytest.mark.parametrize("name", [*ROOMS, *sorted(SHARED)])
def test_arrows_run_one_way(name):
    allowed = SHARED | ROOMS.get(name, set())
    wrong = {
        str(path.relative_to(PACKAGE)): found
        for path in FILES
        if room(path) == name and (found := arrows(path) - allowed - ({"plan"} & declares(path)))
    }
    assert not wrong


@pytest.mark.parametrize("name", PACKAGES)
def test_each_room_uses_few_packages(name):
    wrong = {
        str(path.relative_to(PACKAGE)): found
        for path in FILES
        if room(path) == name and (found := others(path) - PACKAGES[name] - ({"pydantic"} & declares(path)))
    }
    assert not wrong


def test_the_map_in_the_packages_docstring_names_every_room():
    assert set(re.findall(r"^    (\w+)  +", minima.__doc__, re.MULTILINE)) == set(ROOMS)


def test_the_drawing_is_the_code():
    """Every arrow of docs/architecture.md is one of the code; what follows from them is what is allowed."""
    page = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    drawn = {name: set() for name in ROOMS}
    for imported, importer in re.findall(r"^    (\w+) --> (\w+)$", page, re.MULTILINE):
        drawn[importer].add(imported)
    for name in ROOMS:
        assert drawn[name] <= set().union(*(arrows(path) for path in FILES if room(path) == name))

    def below(name: str) -> set[str]:
        return drawn[name].union(*map(below, drawn[name]))

    assert {name: below(name) for name in ROOMS} == ROOMS


def test_the_way_of_a_cell_names_functions_that_are_there():
    page = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = re.findall(r'\["([a-z_.]+)\.(\w+)<br>', page) + re.findall(r'write\["(\w+)\.(\w+)"', page)
    assert len(named) > 8
    for module, function in named:
        path = PACKAGE.joinpath(*module.split(".")).with_suffix(".py")
        tree = ast.parse(path.read_text(encoding="utf-8"))
        assert function in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}, module


def test_this_test_sees_imports(tmp_path):
    file = tmp_path / "module.py"
    file.write_text("def f():\n    from minima.findings import claims\n    import_module(f'minima.jobs.{x}')")
    assert set(imports(file)) == {"minima.findings.claims", "minima.jobs."}


def test_no_estimand_makes_a_sample_of_its_own():
    """Samples come from `findings.samples`, which says whose each value is: else seeds that share their
    data could pass for independent ones."""
    made = [
        f"{path.name}:{node.lineno}"
        for path in sorted((PACKAGE / "findings" / "estimands").glob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Sample"
    ]
    assert made == []


def private_names(path: Path) -> Iterator[str]:
    """Names with one underscore that a file uses and does not define, also as words of setattr; PyTorch's are
    not ours to name."""
    nodes = [*ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    own = {node.name for node in nodes if isinstance(node, ast.FunctionDef | ast.ClassDef)}
    for node in nodes:
        names = []
        if isinstance(node, ast.Attribute):
            names = [] if ast.unparse(node).startswith("torch.") else [node.attr]
        elif isinstance(node, ast.alias):
            names = node.name.split(".")
        elif isinstance(node, ast.Call) and ast.unparse(node.func).endswith(("getattr", "setattr")):
            names = [str(word.value).split(".")[-1] for word in node.args if isinstance(word, ast.Constant)]
        yield from (name for name in names if re.match("_[^_]", name) and name not in own | NAMED_TUPLES)


def test_tests_go_through_public_names():
    """So that code can be laid out anew while its tests stand."""
    tests = Path(__file__).parents[1]
    wrong = {
        str(path.relative_to(tests)): names
        for path in tests.rglob("*.py")
        if (names := {*private_names(path)})
    }
    assert not wrong


def test_this_test_sees_private_names(tmp_path):
    file = tmp_path / "module.py"
    file.write_text(
        "from a import _b\na._c(x._replace())\npatch.setattr(a, '_d', 1)\ndef _e(): a._e, __f__, a.g\n"
    )
    assert {*private_names(file)} == {"_b", "_c", "_d"}


STUDIES = {path.parent: path for path in PACKAGE.with_name("studies").glob("*/study.yaml")}


def study_files(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.py"))


@pytest.mark.parametrize("folder", STUDIES, ids=lambda folder: folder.name)
def test_a_study_uses_the_core_and_itself_alone(folder):
    """So that one can be taken away, or copied into an extension, without the others."""
    allowed = {"minima", f"studies.{folder.name}", *PACKAGES["findings"]} | sys.stdlib_module_names
    wrong = {
        str(path.relative_to(folder)): strange
        for path in study_files(folder)
        if (strange := {name for name in imports(path) if not within(name, allowed)})
    }
    assert not wrong


def within(name: str, packages: set[str]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def test_the_core_knows_no_study():
    """No title, folder, estimand or kind of figure of one stands in its code or its words."""
    known = set()
    for folder, file in STUDIES.items():
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        functions = ast.parse((folder / "estimands.py").read_text(encoding="utf-8")).body
        known |= {said["title"], f"studies.{folder.name}", f"studies/{folder.name}"}
        known |= {f"{folder.name}.{f.name}" for f in functions if isinstance(f, ast.FunctionDef)}
        known |= {f'"{path.stem}"' for path in folder.glob("figures/*.py")}
    texts = {path: path.read_text(encoding="utf-8") for path in FILES}
    assert not {(path.name, name) for path, text in texts.items() for name in known if name in text}
    assert len(known) > 80
