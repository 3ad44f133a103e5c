"""What the tests of predictors share: predictions of one cell, and a linearization with its J by autograd."""

from dataclasses import dataclass

import numpy as np
import torch
from tests.unit.helpers import arrays, cell, jacobian, trained, weights

from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian as factors_of
from minima.engine.networks.mlp import MLP
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


@dataclass(frozen=True)
class Explicit:
    """J as a matrix [E, n, o, p], by the interface of `minima.engine.jacobians`."""

    rows: torch.Tensor

    @property
    def parameters(self):
        return self.rows.shape[3]

    def first(self, points):
        return Explicit(self.rows[:, :points])

    def times(self, u):
        return torch.einsum("enop,ep->eno", self.rows, u)

    def transposed(self, c):
        return torch.einsum("enop,eno->ep", self.rows, c)

    def along(self, other, c):
        return self.times(other.transposed(c))

    def squares(self, errors, noise=0.0):
        each = torch.einsum("enop,eqno->eqnp", self.rows, errors)
        squares = each.sum(2).square() * (1 - noise) + noise * errors.shape[2] * each.square().sum(2)
        return squares.sum(1)

    def kernel(self, other=None):
        rows, others = self.rows.flatten(1, 2), (other or self).rows.flatten(1, 2)
        return rows @ others.mT

    def weighted_kernel(self, weights):
        rows = self.rows.flatten(1, 2)
        return (rows * weights[:, None]) @ rows.mT


class OnMatrix(Linearization):
    """A linearization that knows no network, for its J is given."""

    def __init__(self, rows, start, targets, **options):
        kernel = Explicit(rows).first(targets.shape[1]).kernel()
        super().__init__(None, [], None, start, targets, kernel, **options)
        vars(self)["_tangent"] = start, Explicit(rows)


def linearization(networks=2, points=6, features=5, outputs=1, width=20, seed=0):
    """Networks at random points and targets, and their J by autograd: [E, (n + t)·o, p]."""
    ensemble = Ensemble(MLP((features, width, outputs), "relu", "ntk"))
    theta = weights(ensemble.model, networks, seed=seed)
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(networks, points + 4, features, generator=generator, dtype=torch.float64)
    x[:, :, 0] = 0  # an input that is always off
    targets = torch.randn(networks, points, outputs, generator=generator, dtype=torch.float64)
    f, factors = factors_of(ensemble, theta, x)
    kernel = factors.first(points).kernel()
    rows = torch.stack([jacobian(ensemble, [w[i] for w in theta], x[i]) for i in range(networks)])
    return Linearization(ensemble, theta, x, f, targets, kernel), rows
