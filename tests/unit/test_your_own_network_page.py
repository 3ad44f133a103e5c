"""docs/your-own-network.md: its files run as they stand, and it quotes what the code says."""

import re
from pathlib import Path

import pytest
import torch
import yaml
from tests.unit.test_troubleshooting import OURS, said

from minima.data.prepare import prepare
from minima.jobs.train_pack import check_modules
from minima.plan.workplan import Plan
from minima.training.cells import train_cells
from minima.training.start import Arrays

PAGE = (Path(__file__).parents[2] / "docs" / "your-own-network.md").read_text(encoding="utf-8")
QUOTED = re.findall(r"^\| `([^`]+)`", PAGE, re.MULTILINE)


def test_the_network_of_the_page_trains(tmp_path):
    net, config, *_ = re.findall(r"```(?:python|yaml)\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "my_net.py").write_text(net, encoding="utf-8")
    plan = Plan(yaml.safe_load(config) | {"network_dirs": [str(tmp_path)]})
    assert len(plan.cells) == 12
    cell = next(iter(plan.cells.values()))
    data = prepare(cell.recipe, [cell.split], ".").isel(split=0)
    arrays = [data[name].values for name in ("x_train", "y_train", "x_test", "y_test")]
    split = Arrays(*arrays, shape=(8, 8))
    check_modules(cell.values, split)
    (done,) = train_cells(
        [cell.values | {"stop": cell["stop"] | {"max_steps": 20}}], [split], torch.device("cpu")
    )
    assert done.values["loss"][-1] < done.values["loss"][0]


@pytest.mark.parametrize("quote", QUOTED)
def test_the_code_says_what_the_page_quotes(quote):
    assert said(quote, OURS)


def test_this_test_can_fail():
    assert len(QUOTED) > 8
