"""What counts as the same code."""

import shutil

import pytest

from minima.plan import fingerprint as fp

OPTIMIZER = "minima.engine.optimizers.heavy_ball"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package of four modules under the name minima: a → b → c, and d alone."""
    sources = {
        "__init__": '"""The package."""\n',
        "a": '"""Top."""\n\nfrom minima.b import value\n\nx = value + 1  # one more\n',
        "b": "from minima.parts import c\n\nvalue = c.number\n",
        "parts/__init__": "",
        "parts/c": "import math\n\nnumber = math.pi\n",
        "d": "def f(x):\n    '''Doubles.'''\n    return 2 * x\n",
    }
    package = tmp_path / "package"
    for name, text in sources.items():
        path = package / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    monkeypatch.setattr(fp, "PACKAGE", package)
    return package


@pytest.fixture
def changed(package, monkeypatch):
    """Says whether an edit of a module changes the fingerprint of `minima.a` and that of `minima.d`."""

    def compare(module, old, new):
        before = [fp.fingerprint([name]) for name in ("minima.a", "minima.d")]
        edited = shutil.copytree(package, package.with_name("edited"))  # a process reads a file once
        monkeypatch.setattr(fp, "PACKAGE", edited)
        path = edited / f"{module}.py"
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new))
        after = [fp.fingerprint([name]) for name in ("minima.a", "minima.d")]
        return tuple(a != b for a, b in zip(before, after, strict=True))

    return compare


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        pytest.param("a", "  # one more", "", id="comment"),
        pytest.param("a", '"""Top."""', '"""The top\n\nof all.\n"""', id="docstring"),
        pytest.param("a", '"""Top."""\n', "", id="no docstring"),
        pytest.param("d", "    '''Doubles.'''\n", "", id="a function's docstring"),
        pytest.param("a", "x = value + 1", "x = (value\n     + 1)", id="layout"),
        pytest.param("d", "2 * x", "2*x", id="spaces"),
    ],
)
def test_words_and_layout_are_no_code(changed, module, old, new):
    assert changed(module, old, new) == (False, False)


@pytest.mark.parametrize(
    ("module", "old", "new", "whose"),
    [
        pytest.param("a", "+ 1", "+ 2", (True, False), id="own code"),
        pytest.param("b", "c.number", "-c.number", (True, False), id="an import"),
        pytest.param("parts/c", "math.pi", "math.e", (True, False), id="an import's import"),
        pytest.param("d", "2 * x", "3 * x", (False, True), id="a module that a does not use"),
    ],
)
def test_code_counts_where_it_is_used(changed, module, old, new, whose):
    assert changed(module, old, new) == whose


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("x[1:]", "x[:1]"),
        ("1", "1.0"),
        ("f(*x)", "f(**x)"),
        ("lambda x, /: x", "lambda x: x"),
        ("y = 1", "y: 1"),
        ("[]", "None"),
        ("x", "'x'"),
    ],
)
def test_other_code_has_another_digest(package, one, other):
    for name, text in {"one": one, "other": other}.items():
        (package / f"{name}.py").write_text(text)
    digests = [fp.code_used([f"minima.{name}"])[f"minima.{name}"] for name in ("one", "other")]
    assert digests[0] != digests[1]


def test_code_used_names_every_module_of_minima_and_no_other(package):
    assert set(fp.code_used(["minima.a"])) == {"minima.a", "minima.b", "minima.parts", "minima.parts.c"}


def test_imports_within_functions_count(package):
    path = package / "d.py"
    path.write_text("def f():\n    import minima.parts.c\n")
    assert "minima.parts.c" in fp.code_used(["minima.d"])


def test_a_cycle_of_imports_ends(package):
    (package / "parts" / "c.py").write_text("import minima.a\n")
    assert "minima.a" in fp.code_used(["minima.b"])


def cell(optimizer="gd", scheme="gaussian", predict=()):
    sections = {"network": {"kind": "mlp", "activation": "relu"}, "init": {"scheme": scheme}}
    return sections | {
        "loss": "mse",
        "augment": {"shift": 0, "flip": False},
        "optimizer": {"name": optimizer, "schedule": {"kind": "constant"}},
        "record": {"probes": []},
        "predict": list(predict),
    }


def test_a_cell_uses_the_optimizer_and_the_init_that_it_names_and_no_other():
    used = {name: set(fp.code_used(fp.training_modules(cell(name)))) for name in ("gd", "heavy_ball")}
    assert used["heavy_ball"] - used["gd"] == {OPTIMIZER}
    assert {"minima.training.cells", "minima.engine.core", "minima.engine.models.mlp"} <= used["gd"]
    assert "minima.engine.inits.centred" not in used["gd"]


def test_what_reads_draws_and_stores_is_no_part_of_a_cells_code():
    """Else an edit there would train everything again."""
    used = fp.code_used(fp.training_modules(cell("heavy_ball", "centred", ["linearized"])))
    for module in used:
        assert not module.startswith(("minima.findings", "minima.plan", "minima.data", "minima.store")), (
            module
        )
    assert not {"minima.jobs.train_pack", "minima.jobs.logs", "minima.netcdf"} & set(used)


def test_imports_for_type_hints_are_no_code(package, changed):
    """What stands under `if TYPE_CHECKING:` is never run: an edit of what it imports reruns nothing."""
    hinted = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from minima.b import value\nx = 1\n"
    (package / "d.py").write_text(hinted)
    assert set(fp.code_used(["minima.d"])) == {"minima.d"}
    assert changed("d", "value", "other") == (False, False)


def test_a_template_beside_the_module_that_names_it_is_code(package):
    def with_base(text):
        folder = shutil.copytree(package, package.with_name(text))
        (folder / "a.py").write_text('PAGE = "own.html.j2"\n')
        (folder / "own.html.j2").write_text('{% extends "base.html.j2" %}')
        (folder / "base.html.j2").write_text(text)
        (folder / "other.html.j2").write_text(text)
        fp.PACKAGE = folder  # put back by the fixture
        return [fp.fingerprint([name]) for name in ("minima.a", "minima.d")]

    (page, other), (edited, untouched) = with_base("before"), with_base("after")
    assert page != edited
    assert other == untouched
