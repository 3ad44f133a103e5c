"""A user's own network, initialization and activation are declared, priced and trained like ours."""

import numpy as np
import pytest
from tests.unit.helpers import arrays, cell, grid, trained

from minima.plan import parts
from minima.plan.cost import cost_of
from minima.plan.fingerprint import training_modules

NETWORK = '''"""One hidden layer that is added to what it is fed."""

from pydantic import Field

from minima.plan.networks import Network


class Residual(Network):
    """One hidden layer that is added to what it is fed."""

    OWN_START = True

    hidden: int = Field(8, ge=1, description="Units.")


def build(network, shape, outputs):
    import torch
    from torch import nn

    from minima.engine.networks.module import ModuleNet

    class Added(nn.Module):
        def __init__(self):
            super().__init__()
            self.up = nn.Linear(shape[0], network["hidden"])
            self.down = nn.Linear(network["hidden"], shape[0])
            self.out = nn.Linear(shape[0], outputs)

        def forward(self, x):
            return self.out(x + self.down(torch.relu(self.up(x))))

    return ModuleNet.of(Added, shape)
'''
INIT = '''"""Independent uniform weights."""

from typing import Literal

from pydantic import Field

from minima.plan.inits import LayerInit
from minima.streams import stream


class Uniform(LayerInit):
    """Independent uniform weights of the same standard deviations."""



def draw(shapes, stds, seed, x):
    draws = (stream(seed, f"weights/{layer}").uniform(-1, 1, (1, *s)) for layer, s in enumerate(shapes))
    return [3**0.5 * std * weights for std, weights in zip(stds, draws, strict=True)]
'''
ACTIVATION = '''"""max(a, a/10)."""

KEEPS_INPUT = True


def value(a, h):
    return h.copy_(a).clamp_(min=0).add_(a.clamp(max=0), alpha=0.1)


def pull_back(delta, a):
    return delta.mul_(slope(a.clone()))


def slope(a):
    return a.gt_(0).mul_(0.9).add_(0.1)
'''
OWN = {
    ("models", "residual"): (
        NETWORK,
        {"network": {"kind": "residual"}, "init": {"scheme": "own"}, "optimizer": {"name": "gd", "lr": 0.05}},
    ),
    ("inits", "uniform"): (INIT, {"init": {"scheme": "uniform", "scale": 1.5}}),
    ("activations", "leaky"): (ACTIVATION, {"network": {"activation": "leaky", "depth": 3, "width": 32}}),
}


@pytest.fixture(params=OWN, ids="/".join)
def own(request, tmp_path):
    """The sections of a cell that name a part of a user's folder, which is in use until the test ends."""
    kind, name = request.param
    text, sections = OWN[request.param]
    (tmp_path / kind).mkdir()
    (tmp_path / kind / f"{name}.py").write_text(text)
    parts.extend([tmp_path])
    yield {"stop": {"max_steps": 200}, "record": {"steps": [0, 200]}, **sections}
    parts.extend([])


def test_it_trains(own):
    (values,) = trained([cell(**own)], arrays())
    assert values["residual"] < 0.7


def test_its_code_is_that_of_its_own_cells_alone(own, request):
    module = parts.module_name(*request.node.callspec.params["own"])
    plain = cell(stop=own["stop"], record=own["record"])
    assert module in training_modules(cell(**own))
    assert module not in training_modules(plain)


def test_it_has_a_price(own):
    assert np.isfinite(cost_of(grid(**own).cells).seconds)
