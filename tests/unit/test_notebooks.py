"""Notebooks are kept without outputs: what they show is what the reader's own run shows."""

import pytest
from tests.unit.notebooks import FOLDER, code_of

NAMES = sorted(path.stem for path in FOLDER.glob("*.ipynb"))


def test_the_folder_has_the_notebooks_that_people_expect():
    assert NAMES == ["explore", "your_network", "your_study"]
    assert len(list(FOLDER.iterdir())) == len(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_it_is_kept_without_outputs(name):
    cells = code_of(name)
    assert cells
    assert not any(cell["outputs"] or cell["execution_count"] for cell in cells)
