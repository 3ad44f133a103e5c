"""Every optimizer, schedule, loss, batch and decay is PyTorch's or its written recursion, per network.

Step sizes are ones at which training is stable: where it is not, rounding grows along the trajectory.
"""

from collections.abc import Callable, Mapping
from importlib import import_module

import numpy as np
import pytest
import torch
from tests.unit.helpers import naive_ensemble, weights

from minima.engine.batches import Batches
from minima.engine.core import Finished, Recipe, Rules, train
from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.networks.mlp import MLP

STEPS = 200
NETWORKS = 3
READOUTS = {"one copy": (1.0,), "antisymmetric": (0.5**0.5, -(0.5**0.5))}
optim = torch.optim
# name → numbers per network, and PyTorch's optimizer of one network's numbers
TORCH = {
    "gd": ({"lr": [0.1, 0.05, 0.02]}, lambda p, lr: optim.SGD(p, lr)),
    "sgd": ({"lr": [0.1, 0.05, 0.02]}, lambda p, lr: optim.SGD(p, lr)),
    "heavy_ball": (
        {"lr": [0.3, 0.05, 0.02], "momentum": [0.0, 0.9, 0.5]},
        lambda p, lr, momentum: optim.SGD(p, lr, momentum),
    ),
    "nesterov": (
        {"lr": [0.1, 0.05, 0.02], "momentum": [0.3, 0.9, 0.5]},
        lambda p, lr, momentum: optim.SGD(p, lr, momentum, nesterov=True),
    ),
    "adagrad": (
        {"lr": [0.01, 0.02, 0.05], "epsilon": [1e-10, 1e-3, 0.1]},
        lambda p, lr, epsilon: optim.Adagrad(p, lr, eps=epsilon),
    ),
    "rmsprop": (
        {"lr": [0.0002, 0.002, 0.001], "alpha": [0.99, 0.9, 0.5], "epsilon": [1e-8, 1e-3, 0.1]},
        lambda p, lr, alpha, epsilon: optim.RMSprop(p, lr, alpha, epsilon),
    ),
    "adam": (
        {
            "lr": [0.001, 0.002, 0.005],
            "beta1": [0.9, 0.8, 0.5],
            "beta2": [0.999, 0.99, 0.9],
            "epsilon": [1e-8, 1e-3, 0.1],
        },
        lambda p, lr, beta1, beta2, epsilon: optim.Adam(p, lr, (beta1, beta2), epsilon),
    ),
}
DECAYS = {
    "gd": optim.SGD,
    "heavy_ball": lambda p, lr, weight_decay: optim.SGD(p, lr, 0.9, weight_decay=weight_decay),
    "adam": lambda p, lr, weight_decay: optim.Adam(p, lr, weight_decay=weight_decay),
    "adamw": lambda p, lr, weight_decay: optim.AdamW(p, lr, weight_decay=weight_decay),
}


def problem(copies: int = 1, outputs: int = 2, frozen: tuple[int, ...] = ()):
    """Networks of their own, on points of their own."""
    model = MLP((5, 7, 6, outputs), "tanh", "ntk", frozen)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(NETWORKS, 10, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(NETWORKS, 10, outputs, generator=generator, dtype=torch.float64)
    return model, weights(model, NETWORKS, copies), x, y


def never() -> Rules:
    """No network stops before the last step."""
    none = torch.full((NETWORKS,), -1.0, dtype=torch.float64)
    return Rules(none, none, STEPS, [0, STEPS], [])


def recipe(name: str, numbers: dict[str, list[float]], **more) -> Recipe:
    tensors = {key: torch.tensor(value, dtype=torch.float64) for key, value in numbers.items()}
    return Recipe(import_module(f"minima.engine.optimizers.{name}"), tensors, **{"loss": mse.loss} | more)


def loss_of(name: str) -> Callable:
    return import_module(f"minima.engine.losses.{name}").loss


def schedule_of(kind: str, options: Mapping[str, object] | None = None) -> Callable:
    """Of a training of `STEPS` steps."""
    return import_module(f"minima.engine.schedules.{kind}").schedule(options or {}, STEPS)


def ours(ensemble: Ensemble, theta, x, y, how: Recipe) -> list[Finished]:
    """The networks after the last step, in their order."""
    finished = list(train(ensemble, [weight.clone() for weight in theta], x, y, how, never()))
    assert [(done.index, done.status, done.steps) for done in finished] == [
        (row, "stopped", STEPS) for row in range(NETWORKS)
    ]
    return finished


def mean_square(f, y):
    return (f - y).square().sum() / (2 * len(y))


def theirs(
    ensemble, theta, x, y, make: Callable, loss=mean_square, rows=None, schedule=None, trained=None
) -> list[torch.Tensor]:
    """One network after as many steps of an optimizer of PyTorch's kind on autograd's gradients."""
    theta = [weight.clone().requires_grad_() for weight in theta]
    optimizer = make([theta[layer] for layer in (trained or range(len(theta)))])
    plan = None if schedule is None else schedule(optimizer)
    for step in range(STEPS):
        optimizer.zero_grad()
        batch = slice(None) if rows is None else rows[step]
        loss(naive_ensemble(ensemble, theta, x[batch]), y[batch]).backward()
        optimizer.step()
        if plan is not None:
            plan.step()
    return [weight.detach() for weight in theta]


def agree(found, wanted, relative=1e-12) -> None:
    for one, other in zip(found, wanted, strict=True):
        assert (one - other).abs().max() <= relative * other.abs().max()


@pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)
@pytest.mark.parametrize("name", TORCH)
def test_a_trajectory_is_pytorchs(name, readout):
    """After 200 steps every weight is PyTorch's to 1e-12: each number reaches its own network."""
    model, theta, x, y = problem(len(readout))
    ensemble = Ensemble(model, readout)
    numbers, make = TORCH[name]
    for done in ours(ensemble, theta, x, y, recipe(name, numbers)):
        own = {key: value[done.index] for key, value in numbers.items()}
        at = [weight[done.index] for weight in theta]
        agree(
            done.weights,
            theirs(ensemble, at, x[done.index], y[done.index], lambda p, own=own: make(p, **own)),
        )


class Written(optim.Optimizer):
    """An optimizer written as its recursion: `move(state, g, θ, k)` returns the step of one tensor."""

    def __init__(self, params, move):
        super().__init__(params, {})
        self.move, self.k = move, 0

    @torch.no_grad()
    def step(self):
        self.k += 1
        group = self.param_groups[0]["params"]
        everything = sum(p.grad.square().sum() for p in group)
        for p in group:
            memory = self.state[p]
            memory["norm"] = everything
            p += self.move(memory, p.grad, p.detach().clone(), self.k)


def _nesterov(momentum):
    def move(memory, g, theta, k, lr):
        iterate = theta - lr * g
        mu = momentum(k)
        step = iterate + mu * (iterate - memory.get("x", memory.setdefault("first", theta))) - theta
        memory["x"] = iterate
        return step

    return move


def _higher_momentum(memory, g, theta, k, lr, beta1, beta2):
    new = beta1 * memory.get("v1", 0) + beta2 * memory.get("v2", 0) + g
    memory["v2"], memory["v1"] = memory.get("v1", 0), new
    return -lr * new


def _adagrad_norm(memory, g, theta, k, lr, epsilon):
    memory["S"] = memory.get("S", 0) + memory["norm"]
    return -lr * g / (memory["S"].sqrt() + epsilon)


def _preconditioned(memory, g, theta, k, lr, epsilon):
    memory.setdefault("D", 1 / (g.abs() + epsilon))
    return -lr * memory["D"] * g


WRITTEN = {
    "nesterov_convex": (
        {"lr": [0.1, 0.05, 0.02], "r": [3.0, 2.0, 6.0]},
        lambda memory, g, theta, k, lr, r: _nesterov(lambda k: (k - 1) / (k + r - 1))(
            memory, g, theta, k, lr
        ),
    ),
    "nesterov_strong": (
        {"lr": [0.1, 0.05, 0.02], "curvature": [0.1, 1.0, 4.0]},
        lambda memory, g, theta, k, lr, curvature: _nesterov(
            lambda k: (1 - (lr * curvature) ** 0.5) / (1 + (lr * curvature) ** 0.5)
        )(memory, g, theta, k, lr),
    ),
    "higher_momentum": (
        {"lr": [0.1, 0.05, 0.02], "beta1": [0.2, 0.0, 0.5], "beta2": [0.2, 0.5, 0.1]},
        _higher_momentum,
    ),
    "adagrad_norm": ({"lr": [0.1, 0.05, 0.02], "epsilon": [1e-10, 1e-3, 0.1]}, _adagrad_norm),
    "sign": ({"lr": [0.01, 0.002, 0.001]}, lambda memory, g, theta, k, lr: -lr * g.sign()),
    "preconditioned": ({"lr": [0.001, 0.002, 0.0005], "epsilon": [0.5, 0.1, 1.0]}, _preconditioned),
}


@pytest.mark.parametrize("readout", READOUTS.values(), ids=READOUTS)
@pytest.mark.parametrize("name", WRITTEN)
def test_a_trajectory_is_its_recursions(name, readout):
    """What PyTorch does not have agrees with the recursion written out, to 1e-12 (1e-9 where steps jump)."""
    model, theta, x, y = problem(len(readout))
    ensemble = Ensemble(model, readout)
    numbers, move = WRITTEN[name]
    for done in ours(ensemble, theta, x, y, recipe(name, numbers)):
        own = {key: value[done.index] for key, value in numbers.items()}
        at = [weight[done.index] for weight in theta]
        make = lambda p, own=own: Written(p, lambda *state: move(*state, **own))  # noqa: E731
        agree(
            done.weights,
            theirs(ensemble, at, x[done.index], y[done.index], make),
            1e-9 if name == "sign" else 1e-12,
        )


@pytest.mark.parametrize("name", DECAYS)
def test_weight_decay_is_pytorchs(name):
    """Decay toward 0, coupled or (adamw) decoupled, with a strength per network."""
    model, theta, x, y = problem()
    strength = [0.0, 0.01, 0.3]
    numbers = {"lr": [0.002] * 3, "weight_decay.strength": strength}
    defaults = {"heavy_ball": {"momentum": [0.9] * 3}}
    adam = {"beta1": [0.9] * 3, "beta2": [0.999] * 3, "epsilon": [1e-8] * 3}
    how = recipe(
        name, numbers | defaults.get(name, adam if name.startswith("adam") else {}), decay_toward="zero"
    )
    for done in ours(Ensemble(model), theta, x, y, how):
        at = [weight[done.index] for weight in theta]
        make = lambda p, i=done.index: DECAYS[name](p, lr=0.002, weight_decay=strength[i])  # noqa: E731
        agree(done.weights, theirs(Ensemble(model), at, x[done.index], y[done.index], make))


def test_weight_decay_toward_the_start():
    """The penalty λ‖θ − θ₀‖²/2 in the loss, whatever the readout."""
    model, theta, x, y = problem(2)
    ensemble = Ensemble(model, READOUTS["antisymmetric"])
    numbers = {"lr": [0.1] * 3, "weight_decay.strength": [0.5, 0.05, 0.0]}
    for done in ours(ensemble, theta, x, y, recipe("gd", numbers, decay_toward="start")):
        at = [weight[done.index] for weight in theta]
        own = numbers["weight_decay.strength"][done.index]
        moving = [weight.clone().requires_grad_() for weight in at]
        optimizer = optim.SGD(moving, 0.1)
        for _ in range(STEPS):
            optimizer.zero_grad()
            loss = mean_square(naive_ensemble(ensemble, moving, x[done.index]), y[done.index])
            penalty = sum((one - other).square().sum() for one, other in zip(moving, at, strict=True))
            (loss + own / 2 * penalty).backward()
            optimizer.step()
        agree(done.weights, [weight.detach() for weight in moving])


@pytest.mark.parametrize("frozen", [(0,), (1,), (2,), (0, 2)])
@pytest.mark.parametrize("name", ["gd", "adam"])
def test_frozen_layers_stay(name, frozen):
    """The other layers train as if PyTorch had been given only them."""
    model, theta, x, y = problem(frozen=frozen)
    numbers, make = TORCH[name]
    for done in ours(Ensemble(model), theta, x, y, recipe(name, numbers)):
        own = {key: value[done.index] for key, value in numbers.items()}
        at = [weight[done.index] for weight in theta]
        wanted = theirs(
            Ensemble(model),
            at,
            x[done.index],
            y[done.index],
            lambda p, own=own: make(p, **own),
            trained=model.trained,
        )
        agree(done.weights, wanted)
        assert all(torch.equal(done.weights[layer], at[layer]) for layer in frozen)


SCHEDULED = {
    "step": (
        {"schedule.length": [10.0, 50.0, 7.0], "schedule.factor": [0.9, 0.1, 0.5]},
        lambda length, factor: lambda o: optim.lr_scheduler.StepLR(o, int(length), factor),
    ),
    "cosine": (
        {"schedule.length": [200.0, 250.0, 400.0]},
        lambda length: lambda o: optim.lr_scheduler.CosineAnnealingLR(o, int(length)),
    ),
    "inverse": (
        {"schedule.length": [10.0, 50.0, 400.0]},
        lambda length: lambda o: optim.lr_scheduler.LambdaLR(o, lambda k: 1 / (1 + k / length)),
    ),
}


@pytest.mark.parametrize("kind", SCHEDULED)
def test_schedules_are_pytorchs(kind):
    """Each network follows a schedule of its own length."""
    model, theta, x, y = problem()
    numbers, schedule = SCHEDULED[kind]
    how = recipe("gd", {"lr": [0.3] * 3} | numbers, schedule=schedule_of(kind))
    for done in ours(Ensemble(model), theta, x, y, how):
        own = {key.split(".")[1]: value[done.index] for key, value in numbers.items()}
        at = [weight[done.index] for weight in theta]
        make = lambda p: optim.SGD(p, 0.3)  # noqa: E731
        wanted = theirs(Ensemble(model), at, x[done.index], y[done.index], make, schedule=schedule(**own))
        agree(done.weights, wanted, 1e-11)  # PyTorch's cosine is a recursion of its own


@pytest.mark.parametrize("name", ["heavy_ball", "nesterov"])
def test_momentum_under_a_schedule_is_pytorchs(name):
    """What was gathered at a larger step size moves the weights by the present one: torch.optim.SGD."""
    model, theta, x, y = problem()
    numbers = {"lr": [0.1, 0.05, 0.02], "momentum": [0.3, 0.9, 0.5]}
    drops = [20, 80]
    how = recipe(
        name,
        numbers | {"schedule.factor": [0.1, 0.2, 0.5]},
        schedule=schedule_of("milestones", {"at": [drop / STEPS for drop in drops]}),
    )
    for done in ours(Ensemble(model), theta, x, y, how):
        lr, momentum, factor = (how.numbers[key][done.index].item() for key in how.numbers)
        wanted = theirs(
            Ensemble(model),
            [weight[done.index] for weight in theta],
            x[done.index],
            y[done.index],
            lambda p, lr=lr, momentum=momentum: optim.SGD(p, lr, momentum, nesterov=name == "nesterov"),
            schedule=lambda o, factor=factor: optim.lr_scheduler.MultiStepLR(o, drops, factor),
        )
        agree(done.weights, wanted)


@pytest.mark.parametrize("replacement", [False, True])
@pytest.mark.parametrize("size", [1, 4, 10])
def test_mini_batches(size, replacement):
    """SGD on a network's own batches is PyTorch's on the same rows, also where the size does not divide n."""
    model, theta, x, y = problem()
    drawn = Batches([5, 6, 7], 10, size, replacement)
    rows = [drawn.next(step, x.device) for step in range(STEPS)]
    how = recipe("sgd", {"lr": [0.1] * 3}, batches=Batches([5, 6, 7], 10, size, replacement))
    for done in ours(Ensemble(model), theta, x, y, how):
        at = [weight[done.index] for weight in theta]
        own = [row[done.index] for row in rows]
        make = lambda p: optim.SGD(p, 0.1)  # noqa: E731
        agree(done.weights, theirs(Ensemble(model), at, x[done.index], y[done.index], make, rows=own))


def test_batches_are_epochs_and_a_networks_own():
    """Without replacement an epoch is every point once; a network draws as if it were alone."""
    together, alone = Batches([1, 2], 10, 4, False), Batches([2], 10, 4, False)
    epochs = [[together.next(step, torch.device("cpu"))[1] for step in range(3)] for _ in (0,)]
    assert sorted(torch.cat(epochs[0]).tolist()) == list(range(10))
    np.testing.assert_array_equal(epochs[0][0], alone.next(0, torch.device("cpu"))[0])
    alone.next(1, torch.device("cpu"))
    alone.next(2, torch.device("cpu"))
    together.keep([1])
    np.testing.assert_array_equal(together.next(3, torch.device("cpu")), alone.next(3, torch.device("cpu")))


@pytest.mark.parametrize(
    ("name", "outputs", "criterion"),
    [
        ("mse", 2, mean_square),
        ("cross_entropy", 3, lambda f, y: torch.nn.functional.cross_entropy(f, y)),
        ("logistic", 1, lambda f, y: torch.nn.functional.soft_margin_loss(f, y)),
        ("exponential", 1, lambda f, y: torch.exp(-y * f).mean()),
    ],
)
def test_losses_are_pytorchs(name, outputs, criterion):
    """Value and slope of each loss, and training by them."""
    model, theta, x, y = problem(outputs=outputs)
    if name == "cross_entropy":
        y = torch.nn.functional.one_hot(y.argmax(2), outputs).to(x)
    if name in ("logistic", "exponential"):
        y = y.sign()
    f = torch.randn(
        y.shape, generator=torch.Generator().manual_seed(2), dtype=torch.float64, requires_grad=True
    )
    wanted = [criterion(f[row], y[row]) for row in range(NETWORKS)]
    sum(wanted).backward()
    value, slope = loss_of(name)(f.detach().clone(), y)
    torch.testing.assert_close(value, torch.stack(wanted).detach(), rtol=1e-13, atol=0)
    torch.testing.assert_close(slope, f.grad, rtol=1e-12, atol=1e-15)
    for done in ours(Ensemble(model), theta, x, y, recipe("gd", {"lr": [0.1] * 3}, loss=loss_of(name))):
        at = [weight[done.index] for weight in theta]
        make = lambda p: optim.SGD(p, 0.1)  # noqa: E731
        agree(done.weights, theirs(Ensemble(model), at, x[done.index], y[done.index], make, loss=criterion))


def test_a_parameter_without_gradient_stays_where_epsilon_is_0():
    """0/0 is no step: a blank pixel's weights do not become NaN under an adaptive method."""
    model, theta, x, y = problem()
    x[:, :, 0] = 0
    for name in ("adagrad", "adam", "rmsprop", "preconditioned"):
        numbers = {
            "lr": [1e-3] * 3,
            "epsilon": [0.0] * 3,
            "alpha": [0.9] * 3,
            "beta1": [0.9] * 3,
            "beta2": [0.9] * 3,
        }
        for done in ours(Ensemble(model), theta, x, y, recipe(name, numbers)):
            assert torch.equal(done.weights[0][..., 0], theta[0][done.index][..., 0])
            assert all(weight.isfinite().all() for weight in done.weights)
