"""notebooks/your_network.ipynb and the lines of docs/your-own-network.md run and answer what is true."""

import re
from pathlib import Path

import pytest
import torch
from tests.unit.notebooks import variables_of
from torch import nn

ROOT = Path(__file__).parents[3]
PAGE = (ROOT / "docs" / "your-own-network.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def answers():
    """The notebook's variables after it ran from top to bottom."""
    return variables_of("your_network")


def test_linearizations_are_nearest_and_too_far(answers):
    """Of descent its linearization, of Adam its flow on the linearization: neither is the network's."""
    own = {"descent": "linearized", "logistic": "linearized", "adam": "adaptive_flow"}
    for name, expected in own.items():
        nearest = answers[f"nearest_of_{name}"]
        assert nearest.distances.minimizer[0] == expected
        assert nearest.distance == nearest.distances[0] > 0.05
        assert nearest.name == "none"
    assert len(answers["nearest_of_adam"].distances) == len(answers["which"])
    # Nor is it within 25 %, where it stands between several.
    assert answers["by_adam"].nearest(answers["net_by_adam"], within=0.25).name == "none"


def test_networks_were_trained_as_far_as_is_said(answers):
    for name in ("nearest_of_descent", "nearest_of_adam"):
        assert 0 < answers[name].residual <= 0.03 * (1 + 1e-5)


def test_what_is_predicted_of_the_test_points_is_as_good_as_training(answers):
    assert answers["predicted_accuracy"] == pytest.approx(answers["trained_accuracy"], abs=0.05)
    assert answers["trained_accuracy"] > 0.9


def test_the_lines_of_the_page_run():
    (lines,) = (
        code for code in re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL) if "which_minimizer" in code
    )
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 8), nn.Tanh(), nn.Linear(8, 2))
    x, y, x_test = torch.randn(6, 4), torch.randn(6, 2), torch.randn(5, 4)
    found = {"net": net, "trained_net": net, "x": x, "y": y, "x_test": x_test}
    exec(lines, found)
    assert found["answer"].predicted.sizes["predictor"] > 1
