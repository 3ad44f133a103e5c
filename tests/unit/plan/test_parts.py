"""Folders of a user's own: their parts join ours; what is wrong with one is said with its file and line."""

import pytest
from tests.unit.helpers import cell

from minima.plan import parts
from minima.plan.fingerprint import fingerprint, training_modules
from minima.plan.mistakes import ConfigError

HALVED = '''"""Gradient descent with half the step."""

from typing import Literal

from pydantic import Field

from minima.plan.optimizers import Optimizer


class Halved(Optimizer):
    """θ ← θ − η g/2."""

    more: float = Field(1.0, gt=0, description="More.")


def start(theta):
    return []


def step(theta, gradient, state, numbers, k):
    theta.sub_(gradient * numbers["lr"] * 0.5 * numbers["more"])
'''


@pytest.fixture
def folder(tmp_path):
    """A user's folder with one optimizer, in use until the test ends."""

    def write(text=HALVED, name="halved", kind="optimizers"):
        path = tmp_path / "own" / kind / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        parts.extend([])  # as another process would find it
        parts.extend([tmp_path / "own"])
        return path

    yield write
    parts.extend([])


def test_a_part_of_a_users_folder_is_an_option_of_a_cell(folder):
    folder()
    assert cell(optimizer={"name": "halved"})["optimizer"]["more"] == 1


def test_it_is_one_no_longer_where_the_folder_is_not_named(folder):
    folder()
    assert "halved" in parts.options("optimizers")
    parts.extend([])
    with pytest.raises(ValueError, match="Input tag 'halved' found"):
        cell(optimizer={"name": "halved"})


def code(optimizer):
    return fingerprint(training_modules(cell(optimizer={"name": optimizer})))


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        pytest.param("* 0.5 *", "* 0.25 *", True, id="its code"),
        pytest.param("with half the step", "with a shorter step", False, id="its docstring"),
        pytest.param("    theta.sub_", "    # half\n    theta.sub_", False, id="a comment"),
        pytest.param('description="More."', 'description="More or less."', False, id="a description"),
    ],
)
def test_an_edit_of_its_code_trains_its_own_cells_alone(folder, old, new, counts):
    folder()
    before = code("halved"), code("gd")
    folder(HALVED.replace(old, new))
    assert (code("halved") != before[0], code("gd") != before[1]) == (counts, False)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        pytest.param("gd", HALVED, "gd.py: the optimizer 'gd' stands in ", id="a name of ours"),
        pytest.param("Halved", HALVED, "Halved.py: names of parts are", id="no name"),
        pytest.param("a", "x = 1\ny = z\n", "a.py:2: does not import: NameError", id="a name error"),
        pytest.param("a", "x = 1\n\ny = (\n", "a.py:3: does not import: SyntaxError", id="no syntax"),
        pytest.param("a", "import gone\n", "a.py:1: does not import: ModuleNotFoundError", id="a package"),
        pytest.param("a", "x = 1\n", "a.py:1: has no class with the options", id="no class"),
        pytest.param(
            "a",
            HALVED.replace("    more", "    name: Literal['halved']\n    more"),
            "a.py: the options of the optimizer 'a' name it 'halved'",
            id="another name",
        ),
    ],
)
def test_what_is_wrong_with_a_part_is_said_with_its_file(folder, name, text, message):
    with pytest.raises(ConfigError) as refused:
        folder(text, name)
    assert message in str(refused.value)


def test_all_that_is_wrong_is_said_at_once(folder):
    with pytest.raises(ConfigError):
        folder("x = 1\n", "one")
    with pytest.raises(ConfigError) as refused:
        folder("y = z\n", "two")
    assert "one.py:1" in str(refused.value)
    assert "two.py:1" in str(refused.value)


@pytest.mark.parametrize(
    ("kind", "message"), [(None, "there is no folder"), ("optimisers", "has none of the folders optimizers")]
)
def test_a_folder_that_is_none_is_a_mistake(tmp_path, kind, message):
    if kind:
        (tmp_path / "own" / kind).mkdir(parents=True)
    with pytest.raises(ConfigError, match=message):
        parts.extend([tmp_path / "own"])


def test_a_folder_is_found_beside_the_config_file_that_has_it(tmp_path, monkeypatch):
    first, second, here = (tmp_path / name for name in ("first", "second", "here"))
    for home in (first, second, here):
        (home / "own").mkdir(parents=True)
    (second / "own").rmdir()
    monkeypatch.chdir(here)
    files = [first / "a.yaml", second / "b.yaml"]
    assert parts.located(["own"], files) == [str(first / "own")]
    assert parts.located("own", files[1:]) == [str(here / "own")]
