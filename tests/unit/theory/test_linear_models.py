"""Linear models behind the engine's loop, and their products and trajectories, against explicit Jacobians."""

import numpy as np
import pytest
import torch
from tests.unit.engine.test_optimizers import TORCH, recipe
from tests.unit.helpers import jacobian as by_autograd
from tests.unit.helpers import weights as random_weights

from minima.engine.batches import Batches
from minima.engine.core import train
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian, pairs
from minima.engine.networks.mlp import MLP
from minima.engine.optimizers import sgd
from minima.engine.record import Rules
from minima.engine.schedules import cosine
from minima.theory.linear_model import KernelModel, LinearizedNetwork
from minima.theory.trajectories import run_linear, spectrum

NETWORKS, POINTS, STEPS = 3, 6, 60
SHAPES = {
    "one output": ((5, 7, 1), (1.0,), ()),
    "deep, three outputs": ((5, 7, 6, 3), (1.0,), ()),
    "antisymmetric, two outputs": ((5, 7, 2), (0.5**0.5, -(0.5**0.5)), ()),
    "a frozen layer": ((5, 7, 6, 2), (1.0,), (1,)),
}


class Problem:
    """Networks, their J by autograd in the order of the trained layers, copies and entries, and targets."""

    def __init__(self, sizes, readout, frozen):
        self.ensemble = Ensemble(MLP(sizes, "relu", "ntk", frozen), readout)
        self.weights = random_weights(self.ensemble.model, NETWORKS, len(readout))
        generator = torch.Generator().manual_seed(3)
        draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)  # noqa: E731
        self.draw, x = draw, draw(NETWORKS, POINTS, sizes[0])
        x[:, :, 1] = 0  # an input that is always off: columns of 0
        self.error = draw(NETWORKS, POINTS, sizes[-1])
        self.factors = jacobian(self.ensemble, self.weights, x)[1]
        lengths = [weight[0].numel() for weight in self.weights]
        begins = np.cumsum([0, *lengths])
        kept = np.concatenate([np.arange(begins[i], begins[i] + lengths[i]) for i in self.ensemble.trained])
        self.rows = torch.stack(
            [by_autograd(self.ensemble, [w[i] for w in self.weights], x[i])[:, kept] for i in range(NETWORKS)]
        )  # [E, n·o, p]

    @property
    def kernel(self):
        return self.rows @ self.rows.mT


@pytest.fixture(params=SHAPES.values(), ids=SHAPES)
def problem(request):
    return Problem(*request.param)


def one_output():
    return Problem(*SHAPES["one output"])


def close(found, wanted, relative=1e-12):
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= relative * wanted.abs().max()


# Products


def test_products_are_those_of_the_jacobian(problem):
    """Ju and Jᵀc of autograd's J."""
    flat, size = problem.factors, problem.rows.shape[2]
    assert flat.parameters == size
    u = problem.draw(NETWORKS, size)
    close(flat.times(u).flatten(1), (problem.rows @ u[:, :, None])[:, :, 0])
    close(flat.transposed(problem.error), (problem.rows.mT @ problem.error.flatten(1)[:, :, None])[:, :, 0])


@pytest.mark.parametrize("cache", [2**20, 2000])
def test_weighted_kernels_are_those_of_the_jacobian(problem, cache, monkeypatch):
    """JDJᵀ, in one block or in many."""
    monkeypatch.setattr(pairs, "cache_bytes", lambda: cache)
    weights = problem.draw(NETWORKS, problem.rows.shape[2]).abs()
    weights[:, ::3] = 0
    wanted = (problem.rows * weights[:, None]) @ problem.rows.mT
    close(problem.factors.weighted_kernel(weights), wanted)


@pytest.mark.parametrize("size", [None, 1, 2, 5])
def test_squares_are_the_mean_over_all_batches(problem, size):
    """The mean over every batch of that size of its squared gradient, N times the batch's mean; summed over
    two error vectors."""
    outputs = problem.error.shape[2]
    errors = problem.draw(NETWORKS, 2, POINTS, outputs)
    noise = 0.0 if size is None else (POINTS - size) / (size * (POINTS - 1))
    rows = problem.rows.unflatten(1, (POINTS, outputs))
    each = torch.einsum("enap,eqna->eqnp", rows, errors)  # of each point
    batches = torch.combinations(torch.arange(POINTS), r=size or POINTS)
    wanted = (POINTS * each[:, :, batches].mean(3)).square().mean(2).sum(1)
    close(problem.factors.squares(errors, noise), wanted, 1e-11)


# Models


def run(model, weights, x, error, how, steps=STEPS):
    never = torch.full((NETWORKS,), -1.0, dtype=torch.float64)
    done = train(model, weights, x, error, how, Rules(never, never, steps, [], []))
    return sorted(done, key=lambda one: one.index)


def torch_run(problem, row, make, rows=None, schedule=None, steps=STEPS):
    """u of one network, by an optimizer of PyTorch on the explicit linear model f = J u."""
    u = torch.zeros(problem.rows.shape[2], dtype=torch.float64, requires_grad=True)
    optimizer = make([u])
    plan = schedule and schedule(optimizer)
    features = problem.rows[row].unflatten(0, (POINTS, -1))
    for step in range(steps):
        optimizer.zero_grad()
        batch = slice(None) if rows is None else rows[step]
        left = features[batch] @ u - problem.error[row][batch]
        (left.square().sum() / (2 * len(left))).backward()
        optimizer.step()
        if plan:
            plan.step()
    return u.detach()


@pytest.mark.parametrize("name", TORCH)
def test_a_linearized_network_trains_as_a_linear_model(problem, name):
    """The engine's loop and optimizers on Jθ take the steps of PyTorch's on an explicit matrix J: 1e-10."""
    numbers, make = TORCH[name]
    model = LinearizedNetwork(problem.ensemble)
    start = [torch.zeros_like(weight) for weight in problem.weights]
    x = model.features(problem.factors, [slice(None)] * 3)
    for done in run(model, start, x, problem.error, recipe(name, numbers)):
        own = {key: value[done.index] for key, value in numbers.items()}
        moved = torch.cat([done.weights[layer].flatten() for layer in problem.ensemble.trained])
        close(moved, torch_run(problem, done.index, lambda p, own=own: make(p, **own)), 1e-10)


@pytest.mark.parametrize("name", ["gd", "heavy_ball", "nesterov"])
def test_the_kernel_alone_gives_the_same_trajectory(problem, name):
    """u = Jᵀα of the n-dimensional recursion is the parameters' own, at every step length."""
    numbers, make = TORCH[name]
    done = run_linear(
        problem.kernel,
        torch.zeros_like(problem.error),
        problem.error,
        recipe(name, numbers),
        Rules(*[torch.full((NETWORKS,), -1.0)] * 2, STEPS, [], []),
    )
    for one in done:
        own = {key: value[one.index] for key, value in numbers.items()}
        moved = problem.rows[one.index].T @ one.weights[0].flatten()
        close(moved, torch_run(problem, one.index, lambda p, own=own: make(p, **own)), 1e-10)


@pytest.mark.parametrize("replacement", [False, True])
def test_batches_and_schedules_reach_the_kernel(problem, replacement):
    """SGD with a cosine schedule on α sees the batches that a network with the same seed sees."""
    numbers = {"lr": [0.1, 0.05, 0.02], "schedule.length": [100.0] * 3}
    how = recipe("sgd", numbers, schedule=cosine.factor, batches=Batches([4, 5, 6], POINTS, 4, replacement))
    x = KernelModel().features(problem.kernel, problem.error.shape[2])
    alpha = problem.kernel.new_zeros(NETWORKS, 1, 1, problem.kernel.shape[1])
    same = Batches([4, 5, 6], POINTS, 4, replacement)
    drawn = [same.next(step, torch.device("cpu")) for step in range(STEPS)]
    for done in run(KernelModel(), [alpha], x, problem.error, how):
        i = done.index
        plan = lambda o: torch.optim.lr_scheduler.CosineAnnealingLR(o, 100)  # noqa: E731
        wanted = torch_run(
            problem,
            i,
            lambda p, i=i: torch.optim.SGD(p, numbers["lr"][i]),
            [rows[i] for rows in drawn],
            plan,
        )
        close(problem.rows[i].T @ done.weights[0].flatten(), wanted, 1e-10)


# Closed forms


def test_gradient_descent_in_closed_form_is_the_recursion():
    """e_t and α_t for every t ≤ 300, to 1e-10; t = 0 and t = ∞ included."""
    problem = one_output()
    kernel, e = problem.kernel, problem.error.flatten(1).clone()
    modes = spectrum(kernel, problem.error)
    rate = 1.5 / modes.eigenvalues[:, -1]
    alpha = torch.zeros_like(e)
    for step in range(300):
        steps = torch.full((NETWORKS,), float(step), dtype=torch.float64)
        close(modes.error(steps, rate), e, 1e-10)
        assert (
            modes.dual(steps, rate) - alpha
        ).abs().max() <= 1e-10 * e.abs().max() / kernel.abs().max() + 1e-12
        alpha = alpha + rate[:, None] * e
        e = e - rate[:, None] * (kernel @ e[:, :, None])[:, :, 0]
    forever = torch.full((NETWORKS,), 1e9, dtype=torch.float64)
    close(modes.dual(forever, rate), torch.linalg.solve(kernel, problem.error.flatten(1)), 1e-9)


def test_the_first_step_at_a_residual_is_the_first():
    """By bisection: there at the step, not there the step before; `most` where it is out of reach."""
    problem = one_output()
    modes = spectrum(problem.kernel, problem.error)
    rate = 1 / modes.eigenvalues[:, -1]
    size = problem.error.flatten(1).norm(dim=1)
    for residual in (0.5, 1e-2, 1e-5):
        steps = modes.steps_to(residual, rate, 10**7)
        assert (modes.error(steps, rate).norm(dim=1) <= residual * size).all()
        assert (modes.error(steps - 1, rate).norm(dim=1) > residual * size).all()
    assert modes.steps_to(1e-5, rate, 3).tolist() == [3.0] * NETWORKS


@pytest.mark.slow
def test_stochastic_gradient_descent_ends_where_gradient_descent_does():
    """Batches of three, to a residual of 1e-7: f within 1e-5 of the closed form."""
    problem = one_output()
    kernel = problem.kernel
    diagonal = kernel.diagonal(dim1=1, dim2=2).amax(1)
    numbers = {"lr": (0.5 / diagonal).tolist()}
    how = recipe("sgd", numbers, batches=Batches([1, 2, 3], POINTS, 3, False))
    residual = torch.full((NETWORKS,), 1e-7, dtype=torch.float64)
    done = run_linear(
        kernel, 0 * problem.error, problem.error, how, Rules(residual, -residual, 10**6, [], [])
    )
    wanted = torch.linalg.solve(kernel, problem.error.flatten(1))
    for one in done:
        assert one.status == "converged"
        rows = problem.rows[one.index]
        close(rows.T @ one.weights[0].flatten(), rows.T @ wanted[one.index], 1e-5)


def test_sgd_is_linear_in_its_gradients():
    """What lets the kernel alone carry it."""
    assert sgd.LINEAR
