"""A network in a file of the user's own, beside a config outside the checkout."""

from pathlib import Path

import pytest
import xarray as xr
from harness import DATASET, Run, Workflow

NET = '''"""A net."""

from sizes import FEWEST
from torch import nn


class Net(nn.Module):
    def __init__(self, width, outputs=1):
        super().__init__()
        self.hidden = nn.Linear(8, max(width, FEWEST))
        self.norm = nn.LayerNorm(max(width, FEWEST))
        self.out = nn.Linear(max(width, FEWEST), outputs)

    def forward(self, x):  # [rows, 8, 8]
        return self.out(self.norm(self.hidden(x)).relu().mean(1))
'''
CONFIG = """
data:
  digits: {source: digits, classes: [3, 8], train_size: 20, test_size: 20, shape: [8, 8]}
studies:
  question:
    blocks:
      main:
        data: digits
        network: {kind: module, file: nets/net.py, name: Net}
        axes: {network.args.width: [4, 6]}
        optimizer: {name: sgd, lr: 0.1, batch_size: 10}
        seed: {start: 0, count: 2}
        stop: {residual: 0.9, max_steps: 40}
      plain:
        data: digits
        network: {width: 8}
        stop: {residual: 0.9, max_steps: 40}
"""


@pytest.fixture
def own(tmp_path: Path) -> Workflow:
    (tmp_path / "nets").mkdir()
    (tmp_path / "nets" / "net.py").write_text(NET, encoding="utf-8")
    (tmp_path / "nets" / "sizes.py").write_text("FEWEST = 2\n", encoding="utf-8")
    (tmp_path / "mine.yaml").write_text(CONFIG, encoding="utf-8")
    workflow = Workflow.fresh(tmp_path / "minima")
    workflow.config = {}
    return workflow


def ran(workflow: Workflow, *arguments: str) -> Run:
    return workflow.run(*arguments, "--configfile", str(workflow.folder.parent / "mine.yaml"))


def rewritten(file: Path, old: str, new: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert old in text
    file.write_text(text.replace(old, new), encoding="utf-8")


def test_an_edit_of_the_file_or_of_what_it_imports_trains_its_cells_alone(own):
    """A comment none."""
    nets = own.folder.parent / "nets"
    assert ran(own, DATASET).succeeded().trained == 5
    with xr.open_datatree(own.folder / DATASET) as tree:
        assert tree["trained/main"].ds.test.sizes["width"] == 2
        assert (tree["trained/main"].ds.status != "missing").all()
    rewritten(nets / "net.py", "# [rows, 8, 8]", "# tokens")
    assert "Nothing to be done" in ran(own, DATASET, "--dry-run").succeeded().output
    rewritten(nets / "net.py", ".relu()", ".tanh()")
    assert ran(own, "--until", "train_pack").succeeded().trained == 4
    rewritten(nets / "sizes.py", "2", "5")
    assert ran(own, "--until", "train_pack").succeeded().trained == 4


def test_what_is_wrong_is_said_before_training(own):
    """What the file says, before any job; what only torch can say, by the training job before a step."""
    file = own.folder.parent / "nets" / "net.py"
    rewritten(file, "class Net", "class Nett")
    run = ran(own, "--dry-run")
    assert run.code != 0
    assert "'Net' is no class of nets/net.py (did you mean 'Nett'?)" in run.output
    rewritten(file, "class Nett", "class Net")
    rewritten(file, "outputs=1", "outputs=3")
    run = ran(own, "--until", "train_pack", "--keep-going")
    assert run.code != 0
    assert "network: Net of nets/net.py returns [8, 3] on 8 rows, and the labels need [8, 1]" in run.output
    assert not run.cells
