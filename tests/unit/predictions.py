"""What the tests of predictors share: predictions of one cell, and a linearization with its J by autograd."""

import numpy as np
import torch
from tests.unit.helpers import arrays, cell, jacobian, trained, weights

from minima.engine.ensemble import Ensemble
from minima.engine.networks.mlp import MLP
from minima.engine.tangent import jacobian as factors_of
from minima.theory.linearization import Linearization

SPLIT = arrays(points=8, features=6, tests=5)
NETWORK = {"width": 24}
BARELY = {"max_steps": 1}  # the network itself is not looked at
ADAGRAD = {"name": "adagrad", "lr": 0.02}


def predicted(split=SPLIT, **sections):
    """One untrained cell's predictions."""
    sections = {"network": NETWORK, "stop": BARELY, "linearized_run": {"max_steps": 10**6}} | sections
    return trained([cell(**sections)], split)[0]


def distance(a, b):
    return np.linalg.norm(a - b) / np.linalg.norm(b)


def linearization(networks=2, points=6, features=5, outputs=1, width=20, seed=0):
    """Networks at random points and targets, and their J by autograd: [E, (n + t)·o, p]."""
    ensemble = Ensemble(MLP((features, width, outputs), "relu", "ntk"))
    theta = weights(ensemble.model, networks, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(networks, points + 4, features, generator=generator, dtype=torch.float64)
    x[:, :, 0] = 0  # an input that is always off
    targets = torch.randn(networks, points, outputs, generator=generator, dtype=torch.float64)
    f, factors = factors_of(ensemble, theta, x)
    kernel = factors.kernel(factors.first(points))
    rows = torch.stack([jacobian(ensemble, [w[i] for w in theta], x[i]) for i in range(networks)])
    return Linearization(ensemble, theta, x, f, targets, kernel), rows
