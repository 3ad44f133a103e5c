"""A module of the user's own that cannot be trained is refused before its first step, and told what to do."""

from pathlib import Path

import numpy as np
import pytest
from tests.unit.helpers import cell

from minima.engine.foreign import ModuleError, maker
from minima.engine.module_checks import check
from minima.engine.networks.module import ModuleNet
from minima.jobs.train_pack import check_modules
from minima.training.start import Arrays

HEAD = """
import itertools

import numpy as np
import torch
from torch import nn

COUNT = itertools.count()


class Net(nn.Module):
    def __init__(self, width=6):
        super().__init__()
        self.first = nn.Linear(12, width)
        self.last = nn.Linear(width, 3)
        self.extra()

    def extra(self):
        pass

    def hidden(self, x):
        return self.first(x.flatten(1)).relu()

    def forward(self, x):
        return self.last(self.hidden(x))
"""
NORMALIZED = (
    "self.norm = nn.BatchNorm1d(6{})\n\ndef hidden(self, x):\n    return self.norm(self.first(x.flatten(1)))"
)
REFUSED = {
    "no parameters": (
        "def extra(self):\n    del self.first, self.last\n\n"
        "def forward(self, x):\n    return x.flatten(1)[:, :3]",
        "has no parameters: there is nothing to train",
    ),
    "nothing to train": (
        "def extra(self):\n    self.requires_grad_(False)",
        "requires_grad: False for every",
    ),
    "lazy": ("def extra(self):\n    self.last = nn.LazyLinear(3)", "has lazy layers.*: name the sizes"),
    "complex": (
        "def extra(self):\n    self.phase = nn.Parameter(torch.zeros(2, dtype=torch.complex64))",
        "no real floating point numbers",
    ),
    "another start each time": (
        "def extra(self):\n    nn.init.constant_(self.last.bias, next(COUNT))",
        "starts otherwise each time under one seed",
    ),
    "integers wanted": (
        "def extra(self):\n    self.words = nn.Embedding(9, 12)\n\ndef hidden(self, x):\n"
        "    return self.first(self.words(x).mean((1, 2)))",
        r"fails on rows of shape \[3, 4\].*floating point numbers.*x\.long\(\)",
    ),
    "rows of another shape": (
        "def hidden(self, x):\n    return self.first(x)",
        r"fails on rows of shape \[3, 4\]: RuntimeError",
    ),
    "several results": (
        "def forward(self, x):\n    return self.hidden(x), 1",
        "returns a tuple, not one tensor",
    ),
    "another size": (
        "def forward(self, x):\n    return self.hidden(x)",
        r"returns \[8, 6\] on 8 rows, and the labels need \[8, 3\]: give its last layer so many outputs",
    ),
    "another dtype": ("def forward(self, x):\n    return self.last(self.hidden(x)).double()", "fix no dtype"),
    "not finite": (
        "def forward(self, x):\n    return self.last(self.hidden(x)) / 0",
        "not finite at its start: scale its inputs",
    ),
    "dropout": (
        "def hidden(self, x):\n    h = self.first(x.flatten(1))\n"
        "    return nn.functional.dropout(h, 0.5, self.training)",
        "draws random numbers in forward: set dropout to p=0",
    ),
    "noise, also in evaluation": (
        "def hidden(self, x):\n    h = self.first(x.flatten(1))\n    return h + torch.randn_like(h)",
        "draws random numbers in forward",
    ),
    "a moving average": (
        "def extra(self):\n    self.register_buffer('mean', torch.zeros(12))\n\ndef hidden(self, x):\n"
        "    self.mean += x.flatten(1).mean(0)\n    return self.first(x.flatten(1))",
        "changes mean in forward: the statistics of batch normalization are the only state",
    ),
    "a counter": (
        "def hidden(self, x):\n    return self.first(x.flatten(1)) + next(COUNT)",
        "gives other outputs when it is called again",
    ),
    "rows that look at each other": (
        "def hidden(self, x):\n    h = self.first(x.flatten(1))\n    return h - h.mean(0)",
        "other outputs beside other rows than alone",
    ),
    "several rows wanted": (
        "def hidden(self, x):\n    return self.first(x.flatten(1).unflatten(0, (2, -1)).flatten(0, 1))",
        "fails on one row alone",
    ),
    "batch normalization without statistics": (
        f"def extra(self):\n    {NORMALIZED.format(', track_running_stats=False')}",
        "has batch normalization.*|fails on one row",
    ),
    "batch normalization that counts": (
        f"def extra(self):\n    {NORMALIZED.format(', momentum=None')}",
        "momentum=None",
    ),
}


def net_of(folder: Path, change: str) -> ModuleNet:
    """The net above with some of its methods otherwise."""
    body = "".join(f"    {line}\n" if line else "\n" for line in change.split("\n"))
    (folder / "net.py").write_text(f"{HEAD}\n{body}")
    return ModuleNet.of(maker(folder / "net.py", "Net", {}), (3, 4))


def rows(points=20):
    return np.random.default_rng(0).normal(size=(points, 12))


def asked(net, batch=4, **more):
    check(net, "network: Net of net.py", rows(), 3, batch, **more)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_sound_module_passes(tmp_path, dtype):
    normalized = f"def extra(self):\n    {NORMALIZED.format('')}"
    for change in ("width = 6", normalized):
        asked(net_of(tmp_path, change), dtype=dtype)


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_trained_is_refused(tmp_path, case):
    change, says = REFUSED[case]
    with pytest.raises(ModuleError, match=f"(?s)network: Net of net.py .*({says})"):
        asked(net_of(tmp_path, change))


@pytest.mark.parametrize(
    ("batch", "says"),
    [(None, "needs mini-batches: give optimizer.batch_size"), (1, "one row has no variance")],
)
def test_batch_normalization_needs_batches(tmp_path, batch, says):
    net = net_of(tmp_path, f"def extra(self):\n    {NORMALIZED.format('')}")
    with pytest.raises(ModuleError, match=says):
        asked(net, batch)


def test_batch_normalization_that_the_config_does_not_know_is_refused(tmp_path):
    """Whether points are tied together must be known before any job; with the statistics of the start they
    are not, and no mini-batches are needed."""
    net = net_of(tmp_path, f"def extra(self):\n    {NORMALIZED.format('')}")
    with pytest.raises(ModuleError, match=r"say network.batch_norm: frozen, .* or true"):
        asked(net, normalizes=False)
    asked(net.asked({"batch_norm": "frozen"}, lambda: net, 1.0), None)


def test_one_output_per_row_needs_a_dimension(tmp_path):
    net = net_of(tmp_path, "def forward(self, x):\n    return self.last(self.hidden(x))[:, 0]")
    with pytest.raises(ModuleError, match=r"the labels need \[8, 1\]: return f.unsqueeze\(1\)"):
        check(net, "Net", rows(), 1)


@pytest.mark.parametrize(
    ("text", "name", "args", "says"),
    [
        ("import no_such_package_at_all", "Net", {}, "does not import: ModuleNotFoundError"),
        ("Net = 3", "Net", {}, "has no class Net"),
        ("def Net():\n    return 3", "Net", {}, "is no torch.nn.Module: it makes int"),
        ("def Net(width):\n    return 3", "Net", {"wide": 3}, r"Net\(wide=3\) of .* fails: TypeError"),
    ],
)
def test_what_does_not_make_a_module_is_refused(tmp_path, text, name, args, says):
    (tmp_path / "net.py").write_text(text)
    with pytest.raises(ModuleError, match=says):
        maker(tmp_path / "net.py", name, args)()


def test_a_file_may_import_what_stands_beside_it_and_nothing_of_another_folder(tmp_path):
    """Two folders with modules of the same names."""
    for width in (3, 5):
        folder = tmp_path / str(width)
        folder.mkdir()
        (folder / "sizes.py").write_text(f"WIDTH = {width}\n")
        (folder / "net.py").write_text(
            "from sizes import WIDTH\nfrom torch import nn\n\n\ndef Net():\n    return nn.Linear(2, WIDTH)\n"
        )
    made = [maker(tmp_path / name / "net.py", "Net", {})() for name in ("3", "5")]
    assert [module.out_features for module in made] == [3, 5]
    assert not [*tmp_path.rglob("__pycache__")]


def test_a_module_that_theory_is_asked_of_takes_its_numbers(tmp_path):
    """Networks train in float32, and theory works in float64."""
    net_of(tmp_path, "def forward(self, x):\n    return self.last(self.hidden(x)).float()")
    network = {"kind": "module", "file": str(tmp_path / "net.py"), "name": "Net"}
    split = Arrays(rows(), np.ones((20, 3)), rows(), np.ones((20, 3)), shape=(3, 4))
    recipe = {"source": "diabetes", "train_size": 20, "test_size": 20}
    sections = {"recipe": recipe, "network": network, "optimizer": {"lr": 0.1}, "dtype": "float32"}
    check_modules(cell(**sections), split)
    with pytest.raises(ModuleError, match=r"float32 on rows of .*float64: fix no dtype"):
        check_modules(cell(**sections, predict=["linearized"]), split)
