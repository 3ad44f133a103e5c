"""Networks in a file of the user's own: what is refused before any job, and what is their code."""

import pytest
from tests.unit.helpers import grid

from minima.plan.fingerprint import cell_fingerprint, code_used, training_modules
from minima.plan.mistakes import ConfigError
from minima.plan.workplan import Plan

NET = '''"""A net."""

from torch import nn

import layers
from blocks.dense import Dense


class Net(nn.Module):
    """One of the user's own."""

    def __init__(self, width, *, depth=2):
        super().__init__()


class Free(nn.Module):
    def __init__(self, **anything):
        super().__init__()
'''
FILES = {
    "net.py": NET,
    "layers.py": "import unrelated_package\nLAYERS = 3\n",
    "blocks/__init__.py": "",
    "blocks/dense.py": "from .parts import unit\n\nDense = unit\n",
    "blocks/parts.py": "unit = 1\n",
    "stranger.py": "NOBODY = 'imports this'\n",
}


@pytest.fixture
def folder(tmp_path):
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def config(folder, **network):
    network = {"kind": "module", "file": "net.py", "name": "Net", "args": {"width": 4}} | network
    return {
        "network_dirs": [str(folder)],
        "data": {"toy": {"source": "moons"}},
        "studies": {"q": {"blocks": {"main": {"data": "toy", "network": network, "optimizer": {"lr": 0.1}}}}},
    }


@pytest.mark.parametrize(
    ("network", "says"),
    [
        ({"file": "nets.py"}, "network.file: there is no nets.py in "),
        ({"file": "broken.py"}, "broken.py does not parse in line 2: "),
        ({"name": "Nett"}, "network.name: 'Nett' is no class of net.py (did you mean 'Net'?)"),
        ({"args": {"widht": 3, "width": 3}}, "'widht' is no argument of Net (did you mean 'width'?)"),
        ({"args": {}}, "network.args: Net needs width"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused_before_any_job(folder, network, says):
    """With where it stands in the config, and with all other mistakes."""
    (folder / "broken.py").write_text("from torch import nn\nclass Net(nn.Module:\n")
    said = config(folder, **network)
    said["studies"]["q"]["blocks"]["main"]["loss"] = "msee"
    with pytest.raises(ConfigError) as caught:
        Plan(said)
    told = [str(mistake) for mistake in caught.value.mistakes]
    assert any(one.startswith("studies.q.blocks.main: ") and says in one for one in told), told
    assert any("msee" in one for one in told)


@pytest.mark.parametrize(
    "network", [{}, {"name": "Free", "args": {"any": [1, 2]}}, {"name": "Dense", "args": {}}]
)
def test_a_class_of_the_file_or_taken_over_by_it_is_accepted(folder, network):
    assert len(Plan(config(folder, **network)).cells) == 1


def test_an_argument_can_be_an_axis(folder):
    said = config(folder)
    said["studies"]["q"]["blocks"]["main"]["axes"] = {
        "network.args.width": [2, 4],
        "network.args.depth": [2, 3],
    }
    (cells,) = (block.cells for block in Plan(said).grids.values())
    assert [cell["network"]["args"] for cell in cells] == [
        {"width": width, "depth": depth} for width in (2, 4) for depth in (2, 3)
    ]
    said["studies"]["q"]["blocks"]["main"]["axes"] = {"network.args.breadth": [2, 4]}
    with pytest.raises(ConfigError, match="'breadth' is no argument of Net"):
        Plan(said)


def test_the_code_of_a_cell_is_the_file_and_what_it_imports_beside_it(folder):
    (cell,) = Plan(config(folder)).cells.values()
    own = {name for name in code_used(training_modules(cell.values)) if name.startswith("file:")}
    assert own == {
        "file:net.py",
        "file:net.py:layers",
        "file:net.py:blocks",
        "file:net.py:blocks.dense",
        "file:net.py:blocks.parts",
    }


@pytest.mark.parametrize(
    ("file", "old", "new", "same"),
    [
        pytest.param("net.py", "depth=2", "depth=3", False, id="the file"),
        pytest.param("blocks/parts.py", "unit = 1", "unit = 2", False, id="what it imports"),
        pytest.param("net.py", "One of the user's own.", "In other words.  # so", True, id="a docstring"),
        pytest.param("layers.py", "LAYERS = 3", "LAYERS = 3  # layers", True, id="a comment"),
        pytest.param("stranger.py", "this", "that", True, id="another file of the folder"),
    ],
)
def test_an_edit_is_another_fingerprint_where_it_is_of_code(folder, file, old, new, same):
    def code():
        (cell,) = Plan(config(folder)).cells.values()
        return cell.digest, cell_fingerprint(cell)

    before = code()
    text = (folder / file).read_text()
    assert old in text
    (folder / file).write_text(text.replace(old, new))
    assert (code() == before) is same


def test_the_place_of_the_folder_is_no_part_of_a_cell(folder, tmp_path_factory):
    """So that a cluster knows a laptop's cells."""
    other = tmp_path_factory.mktemp("elsewhere")
    for name in FILES:
        (other / name).parent.mkdir(exist_ok=True)
        (other / name).write_text((folder / name).read_text())
    found = []
    for place in (folder, other):
        (cell,) = Plan(config(place)).cells.values()
        found.append((cell.digest, cell_fingerprint(cell)))
    assert found[0] == found[1]


def test_an_archive_and_a_record_of_a_run_know_the_files(folder):
    (folder / "nets").mkdir()
    for name in FILES:
        (folder / "nets" / name).parent.mkdir(exist_ok=True)
        (folder / name).rename(folder / "nets" / name)
    files = Plan(config(folder, file="nets/net.py")).network_files
    assert {*files} == {
        "nets/net.py",
        "nets/layers.py",
        "nets/blocks/__init__.py",
        "nets/blocks/dense.py",
        "nets/blocks/parts.py",
    }
    assert all(path == folder / inside for inside, path in files.items())


def test_cells_of_other_networks_do_not_depend_on_it(folder):
    (cell,) = grid().cells
    assert not any(name.startswith("file:") for name in code_used(training_modules(cell.values)))
