"""Torch modules behind the engine's interface: autograd and torch.optim are the oracle."""

from copy import deepcopy
from functools import partial
from importlib import import_module
from math import prod

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, trained
from torch import nn

from minima.engine.draws import start
from minima.engine.ensemble import Ensemble
from minima.engine.inits import kaiming, torch_default
from minima.engine.losses import cross_entropy
from minima.engine.passes import BoundPasses, PlainPasses, passes_of
from minima.engine.stack import stacked
from minima.plan import fingerprint as fp
from minima.streams import stream
from minima.training import cells as training
from minima.training.start import Arrays

DIGITS = {"source": "digits", "train_size": 8, "test_size": 6, "labels": "onehot"}
SMALL = {"kind": "cnn", "channels": [3, 4, 5], "hidden": 6}
BIAS_FREE = SMALL | {"bias": False}
SGD = {"name": "sgd", "lr": 0.05, "batch_size": 3}
HEAVY_BALL = SGD | {"name": "heavy_ball", "momentum": 0.8, "weight_decay": {"strength": 0.05}}
SHAPE, CLASSES = (1, 8, 8), 10


def built(network, shape=SHAPE, outputs=CLASSES):
    """A kind's model, its options the config's defaults."""
    fields = cell(recipe=DIGITS, network=network, optimizer={"name": "sgd", "lr": 0.1, "batch_size": 4})
    return import_module(f"minima.engine.models.{network['kind']}").build(fields["network"], shape, outputs)


def users_module(network, shape=SHAPE, outputs=CLASSES):
    """The same net as anyone would write it, in float64."""
    if network["kind"] == "dense":
        return nn.Sequential(nn.Linear(prod(shape), 7), nn.ReLU(), nn.Linear(7, outputs)).double()
    a, b, c = network["channels"]
    bn, own = network.get("batch_norm", False), {"bias": network.get("bias", True)}
    convolution = partial(nn.Conv2d, kernel_size=3, padding=1, **own)
    layers = [nn.Unflatten(1, shape), convolution(shape[0], a), nn.BatchNorm2d(a), nn.ReLU()]
    layers += [convolution(a, b), nn.BatchNorm2d(b), nn.ReLU(), nn.MaxPool2d(2)]
    layers += [convolution(b, c), nn.BatchNorm2d(c), nn.ReLU(), nn.MaxPool2d(2), nn.Flatten()]
    layers += [nn.Linear(c * 4, network["hidden"], **own), nn.ReLU()]
    layers += [nn.Linear(network["hidden"], outputs, **own)]
    return nn.Sequential(*(m for m in layers if bn or not isinstance(m, nn.BatchNorm2d))).double()


def drawn(model, networks=1, seed=0):
    """Weights [E, 1, out, in] per tensor, all different, variances of running statistics positive."""
    rng = np.random.default_rng(seed)
    return [
        torch.tensor(rng.uniform(0.1, 0.5, (networks, 1, *shape)) * rng.choice([-1, 1], size=(1, 1, *shape)))
        if i in model.parameters
        else torch.tensor(rng.uniform(0.5, 1.5, (networks, 1, *shape)))
        for i, shape in enumerate(model.weight_shapes)
    ]


def put(module, weights):
    """The tensors of one network into a user's module, parameters first; numbers of batches stay."""
    buffers = [b for name, b in module.named_buffers() if "num_batches" not in name]
    with torch.no_grad():
        for tensor, weight in zip([*module.parameters(), *buffers], weights, strict=True):
            tensor.copy_(torch.as_tensor(weight).reshape(tensor.shape))
    return module


def numbers(module):
    """All tensors of a user's module as one vector, as a cell's parameters are."""
    buffers = [b for name, b in module.named_buffers() if "num_batches" not in name]
    return torch.cat([t.detach().flatten() for t in [*module.parameters(), *buffers]]).numpy()


def split(seed=0, points=8, tests=6):
    """Random images with classes, one hot."""
    rng = np.random.default_rng(seed)
    y = np.eye(CLASSES)[rng.integers(CLASSES, size=points + tests)]
    x = rng.normal(size=(points + tests, prod(SHAPE)))
    return Arrays(x[:points], y[:points], x[points:], y[points:], shape=SHAPE)


NETWORKS = [
    pytest.param({"kind": "dense", "hidden": [7]}, id="dense"),
    pytest.param(SMALL, id="cnn"),
    pytest.param(SMALL | {"batch_norm": True}, id="cnn, batch norm"),
    pytest.param(BIAS_FREE, id="cnn without biases"),
]


# Functions and gradients


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_forward_and_gradients_are_autograds(network, networks):
    """In training each network of a stack has the function, the gradient and the running statistics that the
    plain module has."""
    model = built(network)
    ensemble = Ensemble(model)
    theta = drawn(model, networks)
    x = torch.randn(networks, 5, prod(SHAPE), dtype=torch.float64)
    delta = torch.randn(networks, 5, CLASSES, dtype=torch.float64)
    alone = [put(users_module(network), [w[e] for w in theta]).train() for e in range(networks)]
    f, tape = ensemble.forward(theta, x, training=True)
    gradients = [torch.zeros_like(w) for w in theta]
    targets = [gradients[i] if i in ensemble.trained else None for i in range(len(theta))]
    ensemble.gradients(theta, tape, delta, targets)
    for e, module in enumerate(alone):
        expected = module(x[e])
        torch.testing.assert_close(f[e], expected.detach(), rtol=1e-10, atol=1e-10)
        wanted = torch.autograd.grad(expected, list(module.parameters()), delta[e])
        for found, gradient in zip(gradients, wanted, strict=False):
            torch.testing.assert_close(found[e].reshape(gradient.shape), gradient, rtol=1e-10, atol=1e-10)
        np.testing.assert_allclose(
            torch.cat([w[e].flatten() for w in theta]).numpy(), numbers(module), rtol=1e-12
        )


CHAINS = [pytest.param({"kind": "dense", "hidden": [7]}, id="dense"), pytest.param(SMALL, id="cnn")]


def passes_over(network, networks=2, points=9):
    """Bound passes by hand over images that are mostly blank, so that pooling meets equal numbers."""
    ensemble = Ensemble(built(network))
    x = torch.randn(networks, points, prod(SHAPE), dtype=torch.float64)
    x[:, :, : prod(SHAPE) // 2] = 0
    y = torch.eye(CLASSES, dtype=x.dtype)[torch.randint(CLASSES, (networks, points))]
    stack = stacked(ensemble.trained, drawn(ensemble.model, networks), x, y, [], {}, keeps_start=False)
    bound = passes_of(ensemble, stack, cross_entropy.loss)
    assert isinstance(bound, BoundPasses)
    return bound, PlainPasses(ensemble, stack, cross_entropy.loss)


@pytest.mark.parametrize("network", [*CHAINS, pytest.param(BIAS_FREE, id="cnn without biases")])
def test_passes_by_hand_are_autograds(network, monkeypatch):
    """Full passes in blocks of points too, whose gradients add up, and batches."""
    for numbers_of_columns in (2**20, 1, 4 * 9 * 64 * 4):
        monkeypatch.setattr("minima.engine.networks.module.COLUMNS", numbers_of_columns)
        bound, plain = passes_over(network)
        rows = torch.tensor([[3, 0, 8, 1], [2, 2, 5, 7]])
        for way in (lambda passes, _: passes.full(), lambda passes, rows: passes.batch(rows)):
            stack = bound.stack
            for _ in range(2):
                found = way(bound, rows)
                f, loss, gradient = found.f.clone(), found.loss.clone(), stack.gradient.clone()
            wanted = way(plain, rows)
            torch.testing.assert_close(f, wanted.f, rtol=1e-12, atol=1e-12)
            torch.testing.assert_close(loss, wanted.loss, rtol=1e-12, atol=0)
            torch.testing.assert_close(gradient, stack.gradient, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("networks", [1, 3])
@pytest.mark.parametrize("network", NETWORKS)
def test_evaluation_uses_the_running_statistics_and_leaves_them(network, networks, monkeypatch):
    """In parts, too: no point sees another."""
    model = built(network)
    monkeypatch.setattr("minima.engine.networks.module.EVALUATED_AT_ONCE", 2)
    theta = drawn(model, networks)
    before = [w.clone() for w in theta]
    x = torch.randn(networks, 5, prod(SHAPE), dtype=torch.float64)
    f, _ = Ensemble(model).forward(theta, x)
    for e in range(networks):
        module = put(users_module(network), [w[e] for w in theta]).eval()
        torch.testing.assert_close(f[e], module(x[e]).detach(), rtol=1e-10, atol=1e-10)
    assert all(torch.equal(a, b) for a, b in zip(theta, before, strict=True))


@pytest.mark.parametrize("network", CHAINS)
def test_evaluation_sees_the_weights_that_it_is_given(network):
    """Passes are kept by where weights are: of others, and of the same changed in place, f is another."""
    model = built(network)
    ensemble, theta = Ensemble(model), drawn(model)
    x = torch.randn(1, 5, prod(SHAPE), dtype=torch.float64)
    f = ensemble.forward(theta, x)[0].clone()
    torch.testing.assert_close(ensemble.forward([*theta[:-2], 2 * theta[-2], 2 * theta[-1]], x)[0], 2 * f)
    torch.testing.assert_close(ensemble.forward(theta, x)[0], f)
    theta[-2].mul_(-1)
    theta[-1].mul_(-1)
    torch.testing.assert_close(ensemble.forward(theta, x)[0], -f)


@pytest.mark.parametrize("network", NETWORKS)
def test_float32_finds_what_float64_finds(network):
    """Another memory layout of the kernels, the same function."""
    model = built(network)
    theta = drawn(model)
    x = torch.randn(1, 5, prod(SHAPE), dtype=torch.float64)
    f, _ = Ensemble(model).forward(theta, x, training=True)
    single, _ = Ensemble(model).forward([w.float() for w in theta], x.float(), training=True)
    torch.testing.assert_close(single.double(), f, rtol=1e-3, atol=1e-3 * float(f.abs().max()))


# Training


def users_loop(one, split, start):
    """The loop a user would write, on the batches of the cell's seed; the trained module."""
    module = put(users_module(one["network"]), start).train()
    options = one["optimizer"]
    optimizer = torch.optim.SGD(
        module.parameters(),
        lr=options["lr"],
        momentum=options.get("momentum", 0.0),
        weight_decay=options["weight_decay"]["strength"],
    )
    x, y = torch.tensor(split.x_train), torch.tensor(split.y_train)
    draw, size = stream(one["seed"], "batches"), options["batch_size"]
    step = 0
    while True:
        order = draw.permutation(len(x))
        for begin in range(0, len(x), size):
            if step == one["stop"]["max_steps"]:
                return module.eval()
            rows = order[begin : begin + size]
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x[rows]), y[rows]).backward()
            optimizer.step()
            step += 1


@pytest.mark.parametrize(
    "optimizer",
    [
        pytest.param(SGD, id="sgd"),
        pytest.param(HEAVY_BALL, id="momentum, decay"),
    ],
)
@pytest.mark.parametrize("scheme", ["kaiming", "torch_default"])
@pytest.mark.parametrize("network", NETWORKS)
def test_training_is_the_loop_a_user_would_write(network, scheme, optimizer):
    """The same weights, batches and steps as nn.Module and torch.optim.SGD, where batch normalization's
    weights decay like all others; its statistics do not."""
    one = cell(
        seed=5,
        recipe=DIGITS,
        network=network,
        init={"scheme": scheme},
        loss="cross_entropy",
        optimizer=optimizer,
        stop={"max_steps": 40},
        record={"steps": [0, 3, 40], "probes": ["accuracy", "norm", "distance"]},
        dtype="float64",
        keep_parameters=True,
    )
    data = split()
    (values,) = trained([one], data)
    fresh = start(import_module(f"minima.engine.inits.{scheme}"), built(network), one["init"], 5)
    module = users_loop(one, data, fresh)
    np.testing.assert_allclose(values["parameters"], numbers(module), rtol=1e-10, atol=1e-10)
    with torch.no_grad():
        f = {part: module(torch.tensor(getattr(data, f"x_{part}"))) for part in ("train", "test")}
    for part in f:
        np.testing.assert_allclose(values[part], f[part].numpy(), rtol=1e-10, atol=1e-10)
    loss = nn.functional.cross_entropy(f["train"], torch.tensor(data.y_train))
    assert values["loss"][-1] == pytest.approx(float(loss), rel=1e-10)
    assert values["accuracy_path"][-1] == (f["train"].numpy().argmax(1) == data.y_train.argmax(1)).mean()
    moved = [
        np.linalg.norm(after.detach().numpy().ravel() - before.ravel())
        for after, before in zip(module.parameters(), fresh, strict=False)
    ]
    np.testing.assert_allclose(values["distance"], moved, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(values["distance_path"][-1], moved, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS[:2])
def test_full_batch_training_goes_down(network):
    """Without mini-batches too (batch normalization needs them)."""
    one = cell(recipe=DIGITS, network=network, optimizer={"name": "gd", "lr": 0.05}, stop={"max_steps": 60})
    (values,) = trained([one], split())
    assert one["dtype"] == "float32"
    assert values["status"] == "stopped"
    assert values["loss"][-1] < 0.7 * values["loss"][0]


@pytest.mark.parametrize("network", NETWORKS)
def test_a_cell_does_not_depend_on_its_pack(network, monkeypatch):
    """Alone, in two stacks and in another order."""
    many = cells(
        {"optimizer.lr": [0.02, 0.1], "stop.loss": [0.3, 1.5]},
        seed={"start": 3, "count": 2},
        recipe=DIGITS,
        network=network,
        loss="cross_entropy",
        optimizer=SGD,
        stop={"max_steps": 60},
        dtype="float64",
        keep_parameters=True,
    )
    splits = [split(i % 3) for i in range(len(many))]
    alone = [trained([one], [data])[0] for one, data in zip(many, splits, strict=True)]
    assert len({values["steps"] for values in alone}) > 2
    order = np.random.default_rng(0).permutation(len(many))
    for size, places in ((3, range(len(many))), (8, order)):
        monkeypatch.setattr(training, "networks_together", lambda *_, size=size: size)
        together = trained([many[i] for i in places], [splits[i] for i in places])
        for place, values in zip(places, together, strict=True):
            assert values["steps"] == alone[place]["steps"]
            for name in ("parameters", "train", "test", "loss", "distance"):
                np.testing.assert_allclose(values[name], alone[place][name], rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("network", NETWORKS)
def test_a_cell_alone_and_in_a_stack_are_the_same_to_the_last_bit(network, monkeypatch):
    """In single precision, in which SGD makes large differences of small ones."""
    many = cells(
        {"stop.loss": [1.0, 0.01]},
        seed={"start": 3, "count": 2},
        recipe=DIGITS,
        network=network,
        loss="cross_entropy",
        optimizer=SGD | {"batch_size": 4},
        stop={"max_steps": 40},
        keep_parameters=True,
    )
    splits = [split(i) for i in range(len(many))]
    alone = [trained([one], [data])[0] for one, data in zip(many, splits, strict=True)]
    together = trained(many, splits)
    for one, other in zip(alone, together, strict=True):
        for name in ("parameters", "train", "test", "loss", "distance"):
            np.testing.assert_array_equal(one[name], other[name])


def test_a_rate_too_large_diverges():
    """A result, labelled, among networks that do not."""
    many = cells(
        {"optimizer.lr": [0.05, 1e4]},
        recipe=DIGITS,
        network=SMALL | {"batch_norm": True},
        loss="cross_entropy",
        optimizer=SGD,
        stop={"max_steps": 30},
    )
    fine, diverged = trained(many, split())
    assert (fine["status"], diverged["status"]) == ("stopped", "diverged")
    assert np.isfinite(fine["test"]).all()
    assert np.isnan(diverged["test"]).all()
    assert np.isfinite(diverged["start_test"]).all()


# Shapes and starts


def count(network, shape, outputs=10):
    model = built(network, shape, outputs)
    return sum(prod(model.weight_shapes[i]) for i in model.parameters)


@pytest.mark.parametrize(
    ("network", "shape", "parameters"),
    [
        ({"kind": "resnet18"}, (3, 32, 32), 11_173_962),  # the published number for this variant
        ({"kind": "vgg16"}, (3, 32, 32), 14_728_266),  # likewise
        ({"kind": "vgg16", "batch_norm": False}, (3, 32, 32), 14_728_266 - 2 * 4224),
        ({"kind": "cnn"}, (1, 8, 8), 160 + 4640 + 9248 + 128 * 256 + 256 + 2570),
        ({"kind": "dense", "hidden": [100, 100]}, (2,), 300 + 10_100 + 1010),
    ],
)
def test_the_number_of_parameters_is_known(network, shape, parameters):
    assert count(network, shape) == parameters


@pytest.mark.parametrize("batch_norm", [False, True])
@pytest.mark.parametrize("kind", ["resnet18", "vgg16"])
def test_the_big_nets_take_images_of_all_sizes(kind, batch_norm):
    """Digits, Fashion-MNIST and CIFAR; the statistics of ResNet18's 20 normalizations are remembered."""
    for shape in ((1, 8, 8), (1, 28, 28), (3, 32, 32)):
        model = built({"kind": kind, "batch_norm": batch_norm}, shape)
        weights = start(kaiming, model, {"scale": 1.0}, 0)
        x = torch.randn(1, 2, prod(shape))
        f, _ = model.forward([torch.tensor(w[0][None], dtype=torch.float32) for w in weights], x)
        assert f.shape == (1, 2, 10)
        assert 1e-3 < float(f.abs().max()) < 1e3
        buffers = len(model.entries) - len(model.parameters)
        assert buffers == (0 if not batch_norm else 40 if kind == "resnet18" else 26)


@pytest.mark.parametrize("scheme", ["kaiming", "torch_default"])
def test_a_start_has_the_variances_it_says(scheme):
    """PyTorch's own default is uniform within ±1/√fan-in; σ scales all that is drawn."""
    model = built({"kind": "cnn", "batch_norm": True})
    draw = partial(start, import_module(f"minima.engine.inits.{scheme}"))
    fresh, scaled = draw(model, {"scale": 1.0}, 3), draw(model, {"scale": 2.0}, 3)
    for entry, weights, twice in zip(model.entries, fresh, scaled, strict=True):
        if entry.fan_in is None:
            assert (weights == float("var" in entry.name or entry.name.endswith("weight"))).all()
            np.testing.assert_array_equal(weights, twice)
            continue
        np.testing.assert_array_equal(2 * weights, twice)
        normal = scheme == "kaiming" and not entry.name.startswith("dense2.")
        variance = (0 if entry.bias else 2 / entry.fan_in) if normal else 1 / (3 * entry.fan_in)
        assert weights.std() == pytest.approx(variance**0.5, rel=5 / weights.size**0.5)
    assert not np.array_equal(fresh[0], draw(model, {"scale": 1.0}, 4)[0])


def test_the_default_start_has_torchs_variance():
    """Measured on PyTorch's own layers."""
    model = built({"kind": "dense", "hidden": [400, 300]}, (50,))
    fresh = start(torch_default, model, {"scale": 1.0}, 0)
    torch.manual_seed(0)
    theirs = nn.Sequential(nn.Linear(50, 400), nn.Linear(400, 300), nn.Linear(300, 10))
    for ours, parameter in zip(fresh, theirs.parameters(), strict=True):
        bound = float(parameter.detach().abs().max())
        assert np.abs(ours).max() == pytest.approx(bound, rel=0.2)
        assert ours.std() == pytest.approx(float(parameter.detach().std()), rel=0.3)


def test_rows_of_an_unknown_shape_are_rows_of_features():
    """Arrays without a shape, as the tests of fully connected nets have them."""
    one = cell(network={"kind": "dense", "hidden": [4]}, optimizer={"name": "gd", "lr": 0.01})
    (values,) = trained([deepcopy(one) | {"stop": one["stop"] | {"max_steps": 3}}], arrays())
    assert values["test"].shape == (6, 1)


# The code of a cell


def code_of(kind, scheme):
    one = cell(recipe=DIGITS, network={"kind": kind}, init={"scheme": scheme}, optimizer=SGD, predict=[])
    return set(fp.code_used(fp.training_modules(one)))


def test_modules_and_fully_connected_nets_share_no_code_of_their_own():
    """So that an edit of one trains no cell of the other again."""
    mlp, cnn, resnet = code_of("mlp", "gaussian"), code_of("cnn", "kaiming"), code_of("resnet18", "kaiming")
    models, networks = "minima.engine.models.", "minima.engine.networks."
    assert {f"{models}mlp", f"{networks}mlp", f"{networks}gram"} <= mlp
    assert not {name for name in mlp if "module" in name}
    assert {name for name in cnn if name.startswith((models, networks))} == {
        f"{models}cnn",
        *(
            f"{networks}{name}"
            for name in ("activity", "entries", "layers", "module", "parametrizations", "starts")
        ),
    }
    assert cnn ^ resnet == {f"{models}cnn", f"{models}resnet18", f"{networks}resnet"}
