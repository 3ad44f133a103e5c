"""Any class of PyTorch's optimizers trains as in a plain loop; what cannot be is refused with the mend."""

from importlib import import_module

import numpy as np
import pytest
import torch
from tests.unit.engine.test_optimizers import NETWORKS, READOUTS, agree, ours, problem, recipe, theirs
from tests.unit.helpers import arrays, cell, grid, trained

from minima.engine.ensemble import Ensemble
from minima.plan.cost import cell_cost
from minima.plan.mistakes import ConfigError

OPTIMIZER = {"name": "torch_optim", "class": "torch.optim.NAdam", "lr": 0.01}
NAMED = {
    "torch.optim.NAdam": {"betas": [0.8, 0.95], "eps": 0.01},
    "torch.optim.AdamW": {"weight_decay": 0.1, "eps": 0.01},
    "torch.optim.Rprop": {"etas": [0.5, 1.1]},
}


class Spectral(torch.optim.Optimizer):
    """Steps of each matrix along its gradient over the gradient's largest singular value."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                p.sub_(group["lr"] * p.grad / torch.linalg.matrix_norm(p.grad, 2, keepdim=True))


class Demanding(torch.optim.Optimizer):
    """Asks for a closure."""

    def __init__(self, params, lr=0.1):
        super().__init__(params, {"lr": lr})

    def step(self, closure):
        closure()


@pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)
@pytest.mark.parametrize("name", [*NAMED, f"{__name__}.Spectral"])
def test_a_trajectory_is_that_of_a_plain_loop(name, readout):
    """200 steps to 1e-12, each network with its own step size; a layer is seen as the matrix that it is."""
    model, theta, x, y = problem(len(readout))
    ensemble, rates, arguments = Ensemble(model, readout), [1e-3, 2e-3, 5e-3], NAMED.get(name, {})
    options = {"class": name, "arguments": arguments}
    cls = getattr(import_module(name.rpartition(".")[0]), name.rpartition(".")[2])
    done = ours(ensemble, theta, x, y, recipe("torch_optim", {"lr": rates}, options=options))
    assert len(done) == NETWORKS

    for one in done:
        at = [weight[one.index] for weight in theta]
        make = lambda p, lr=rates[one.index]: cls(p, lr=lr, **arguments)  # noqa: E731
        agree(one.weights, theirs(ensemble, at, x[one.index], y[one.index], make))


def test_convolutional_networks_are_trained_by_it_too():
    """As by the optimizer of ours that has the same steps: the same records, to rounding."""
    sections = {
        "network": {"kind": "dense", "hidden": [4]},
        "init": {"scheme": "kaiming"},
        "loss": "mse",
        "stop": {"max_steps": 20, "residual": None},
        "predict": [],
    }
    ours_, theirs_ = (
        trained([cell(optimizer=own, **sections)], arrays())[0]
        for own in (
            {"name": "adam", "lr": 0.01, "batch_size": 3},
            OPTIMIZER | {"class": "torch.optim.Adam", "batch_size": 3},
        )
    )
    assert ours_.keys() == theirs_.keys()
    assert theirs_["steps"] == 20
    np.testing.assert_allclose(theirs_["train"], ours_["train"], rtol=1e-4)
    np.testing.assert_allclose(theirs_["loss"], ours_["loss"], rtol=1e-4)


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        ({"class": "torch.optim.LBFGS"}, "optimizer.class: LBFGS"),
        ({"arguments": {"lr": 0.1}}, "optimizer.arguments: lr"),
        ({"class": "NAdam"}, "class"),
        ({"lr": {"relative": 0.5}}, "lr"),
    ],
)
def test_what_cannot_be_is_refused_before_any_job(optimizer, says):
    with pytest.raises((ConfigError, ValueError), match=says):
        grid(optimizer=OPTIMIZER | optimizer)


@pytest.mark.parametrize(
    ("optimizer", "says"),
    [
        ({"class": "torch.optim.NAdamm"}, "there is no torch.optim.NAdamm"),
        ({"class": "no_such_module.NAdam"}, "there is no no_such_module.NAdam"),
        ({"class": "torch.nn.Linear"}, "torch.nn.Linear is no subclass of torch.optim.Optimizer"),
        ({"class": f"{__name__}.Demanding"}, "needs a closure"),
        ({"arguments": {"beta": 0.9}}, "optimizer.arguments of NAdam.*beta"),
    ],
)
def test_what_only_the_job_can_know_is_said_when_it_starts(optimizer, says):
    with pytest.raises(RuntimeError, match=says):
        trained([cell(optimizer=OPTIMIZER | optimizer)], arrays())


def test_the_plan_knows_that_its_networks_step_one_by_one():
    """Ten networks cost ten times the step, where a stack of ours costs it once."""
    stop = {"max_steps": 10_000}
    one, stacked = (
        cell_cost(grid(optimizer=own, stop=stop).cells[0])
        for own in (OPTIMIZER, {"name": "adam", "lr": 0.01})
    )
    assert one.own_seconds > 2 * stacked.own_seconds
