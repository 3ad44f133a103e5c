"""How torch modules start and what of them is trained: plain torch code is the oracle."""

from copy import deepcopy

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.unit.engine.test_modules import CLASSES, DIGITS, SHAPE, SMALL, numbers, put, split, users_module
from tests.unit.helpers import cell, grid, trained
from torch import nn

from minima.engine.jacobians import jacobian
from minima.engine.losses import mse
from minima.engine.passes import BoundPasses, PlainPasses, passes_of
from minima.engine.stack import stacked
from minima.plan.mistakes import ConfigError
from minima.training.start import network_of, start_of

GD = {"name": "gd", "lr": 0.01}
DENSE = {"kind": "dense", "hidden": [7]}
NETWORKS = [pytest.param(DENSE, id="dense"), pytest.param(SMALL, id="cnn")]
NORMAL = SMALL | {"batch_norm": "frozen"}
SPLIT = split()
X = torch.tensor(np.r_[SPLIT.x_train, SPLIT.x_test])


def one(network=SMALL, **sections):
    """A cell on digits, in float64."""
    defaults = {"optimizer": GD, "stop": {"max_steps": 3}, "dtype": "float64", "keep_parameters": True}
    return cell(recipe=DIGITS, network=network, **(defaults | sections))


def start(network=SMALL, **sections):
    """The ensemble of a cell and how it starts."""
    fields = one(network, **sections)
    net = network_of(fields, SPLIT)
    return net.ensemble, start_of(net, [fields], [SPLIT], torch.device("cpu"))


def drawn_alone(network, **init):
    """The user's module with the weights of a cell that starts plainly."""
    _, begin = start(network, init=init)
    return put(users_module(network), [weight[0] for weight in begin.weights]).eval()


def gradients(ensemble, begin, delta):
    """∂(Σ δ f)/∂W at the training points, of every trained tensor [K, out, in]."""
    _, tape = ensemble.forward(begin.weights, begin.x, training=True)
    found = [torch.zeros_like(weight) for weight in begin.weights]
    wanted = [part if i in ensemble.trained else None for i, part in enumerate(found)]
    ensemble.gradients(begin.weights, tape, delta, wanted)
    return [part[0] for part in wanted if part is not None]


def users_gradients(module, delta):
    f = module(X[: len(SPLIT.x_train)])
    return torch.autograd.grad(f, list(module.parameters()), delta)


# Schemes that train another function


@pytest.mark.parametrize("draw", [None, "kaiming", "torch_default"])
@pytest.mark.parametrize("network", NETWORKS)
def test_an_antisymmetric_pair_starts_at_zero_with_the_kernel_of_one(network, draw):
    """Both copies are the network that `draw` draws; their gradients are c_k times its own, Σ c_k² = 1."""
    ensemble, begin = start(network, init={"scheme": "antisymmetric", "draw": draw})
    module = drawn_alone(network, scheme=draw or "kaiming")
    f = module(X).detach()
    assert begin.f.abs().max() <= 8 * torch.finfo(f.dtype).eps * f.abs().max()
    delta = torch.randn(1, len(SPLIT.x_train), CLASSES, dtype=torch.float64)
    copies = ensemble.readout
    assert sum(c**2 for c in copies) == pytest.approx(1)
    for found, expected in zip(
        gradients(ensemble, begin, delta), users_gradients(module, delta[0]), strict=True
    ):
        for c, own in zip(copies, found, strict=True):
            torch.testing.assert_close(own.reshape(expected.shape), c * expected, rtol=1e-10, atol=1e-12)


BASES = {"dense": {"hidden": [2]}, "cnn": {"channels": [1, 2, 1], "hidden": 2}}


@pytest.mark.parametrize("scheme", ["kaiming", "antisymmetric"])
@pytest.mark.parametrize(
    "change",
    [
        *({"parametrization": name} for name in ("standard", "ntk", "mup")),
        *({"frozen": [place]} for place in ("1", "2.weight", "1.bias", "2")),
    ],
    ids=lambda change: str(next(iter(change.values()))),
)
@pytest.mark.parametrize("network", NETWORKS)
def test_passes_by_hand_know_copies_factors_and_frozen_tensors(network, change, scheme, monkeypatch):
    """As autograd has them, all points at once and in blocks whose gradients add up."""
    if "frozen" in change:
        word = {"dense": "dense", "cnn": "conv"}[network["kind"]]
        change = {"frozen": [f"{word}{place}" for place in change["frozen"]]}
    if change.get("parametrization") == "mup":
        change = change | {"base": BASES[network["kind"]]}
    ensemble, begin = start(network | change, init={"scheme": scheme})
    apart = [weight + 0.1 * torch.randn_like(weight) for weight in begin.weights]
    stack = stacked(ensemble.trained, apart, begin.x, begin.y, [], {}, keeps_start=False)
    for columns in (2**20, 1):
        monkeypatch.setattr("minima.engine.networks.module.COLUMNS", columns)
        bound, plain = passes_of(ensemble, stack, mse.loss), PlainPasses(ensemble, stack, mse.loss)
        assert isinstance(bound, BoundPasses)
        found, gradient = bound.full(), stack.gradient.clone()
        wanted = plain.full()
        torch.testing.assert_close(found.f, wanted.f, rtol=1e-11, atol=1e-12)
        torch.testing.assert_close(gradient, stack.gradient, rtol=1e-10, atol=1e-12)
        evaluated, _ = ensemble.forward(apart, begin.x)
        torch.testing.assert_close(evaluated, wanted.f, rtol=1e-11, atol=1e-12)


@pytest.mark.parametrize("network", NETWORKS)
def test_centred_trains_the_network_without_its_start(network):
    """The loop that a user would write, on ½|f − f₀ − y|²."""
    init = {"scheme": "centred", "draw": "torch_default"}
    fields = one(network, init=init, stop={"max_steps": 20})
    (values,) = trained([fields], SPLIT)
    module = drawn_alone(network, scheme="torch_default")
    f0 = module(X).detach()
    points, y = len(SPLIT.x_train), torch.tensor(SPLIT.y_train)
    optimizer = torch.optim.SGD(module.parameters(), lr=GD["lr"])
    for _ in range(20):
        optimizer.zero_grad()
        (0.5 * ((module(X[:points]) - f0[:points] - y) ** 2).sum(1).mean()).backward()
        optimizer.step()
    np.testing.assert_allclose(values["parameters"], numbers(module), rtol=1e-9, atol=1e-11)
    f = (module(X) - f0).detach().numpy()
    np.testing.assert_allclose(np.r_[values["train"], values["test"]], f, rtol=1e-8, atol=1e-10)
    assert not np.any(values["start_train"])


# Factors and signs


@pytest.mark.parametrize("scheme", ["kaiming", "torch_default", "centred", "antisymmetric"])
@pytest.mark.parametrize("network", NETWORKS)
def test_flip_starts_at_the_negated_function(network, scheme):
    _, begin = start(network, init={"scheme": scheme})
    _, twin = start(network, init={"scheme": scheme, "flip": True})
    torch.testing.assert_close(twin.f, -begin.f, rtol=1e-12, atol=1e-14)
    changed = [not torch.equal(a, b) for a, b in zip(begin.weights, twin.weights, strict=True)]
    assert changed[-2]
    assert not any(changed[:-2])


def test_flip_is_refused_where_the_output_is_not_that_of_the_last_layer():
    """A module may hold its layers in any order."""
    from minima.engine.networks.module import ModuleNet

    class Backwards(nn.Module):
        def __init__(self):
            super().__init__()
            self.out, self.hidden = nn.Linear(4, 2), nn.Linear(3, 4)

        def forward(self, x):
            return self.out(torch.tanh(self.hidden(x)) + 1)

    from minima.engine.inits import kaiming

    net = ModuleNet(Backwards(), (3,))
    x = np.random.default_rng(0).normal(size=(5, 3))
    with pytest.raises(ValueError, match="not linear in the last layer, hidden"):
        net.drawn(kaiming.draw, {"scale": 1.0, "flip": True}, 0, x)


@pytest.mark.parametrize(
    ("network", "scales"),
    [
        (DENSE, [2.0, 0.5]),
        (DENSE, {"dense2": 0.5, "dense1": 2.0}),
        (SMALL, {"conv2": 3.0}),
    ],
)
def test_layer_scales_multiply_what_is_drawn_of_each_layer(network, scales):
    """By order or by name, weights and biases, times the scale of all."""
    init = {"scheme": "torch_default", "scale": 1.5}
    ensemble, plain = start(network, init={"scheme": "torch_default"})
    _, begin = start(network, init=init | {"layer_scales": scales})
    names = [entry.layer for entry in ensemble.model.entries]
    layers = list(dict.fromkeys(names))
    by_name = scales if isinstance(scales, dict) else dict(zip(layers, scales, strict=True))
    for name, a, b in zip(names, plain.weights, begin.weights, strict=True):
        torch.testing.assert_close(b, 1.5 * by_name.get(name, 1.0) * a, rtol=1e-14, atol=0)


@pytest.mark.parametrize(
    ("scales", "says"),
    [
        ([1.0, 2.0, 3.0], "3 numbers for 2 layers: dense1, dense2"),
        ({"first": 2.0}, "no layer or parameter 'first', but dense1, dense2"),
    ],
)
def test_layer_scales_that_fit_no_layers_are_refused_with_the_layers_that_there_are(scales, says):
    with pytest.raises(ValueError, match=says):
        start(DENSE, init={"scheme": "kaiming", "layer_scales": scales})


def test_new_options_at_their_defaults_are_the_same_cells():
    """Networks that were trained before these options came are not trained again."""
    said = {"frozen": [], "parametrization": "standard", "base": None}
    plain, full = (
        grid(recipe=DIGITS, network=network, init=init, optimizer=GD).cells[0]
        for network, init in (
            (SMALL, {"scheme": "kaiming"}),
            (SMALL | said, {"scheme": "kaiming", "flip": False, "layer_scales": None}),
        )
    )
    assert plain.digest == full.digest
    assert plain.written("init") == '{"scale":1.0,"scheme":"kaiming"}'
    assert full["network"]["frozen"] == []
    assert plain["init"]["flip"] is False


@pytest.mark.parametrize(
    ("network", "init", "loss", "says"),
    [
        (SMALL, {"scheme": "centred", "draw": "gaussian"}, "mse", "gaussian is for network.kind: mlp"),
        (
            {},
            {"scheme": "centred", "draw": "kaiming"},
            "mse",
            "kaiming is for kinds of network other than mlp",
        ),
        (SMALL, {"scheme": "centred", "draw": "antisymmetric"}, "mse", "no scheme that draws"),
        (SMALL, {"scheme": "centred", "draw": "pretrained"}, "mse", "no scheme that draws"),
        (SMALL, {"scheme": "centred", "output": "sign"}, "mse", "init.output: for network.kind: mlp"),
        (
            {},
            {"scheme": "centred", "layer_scales": {"dense1": 2.0}},
            "mse",
            "layer_scales is a list for network.kind: mlp",
        ),
        (SMALL, {"scheme": "centred"}, "cross_entropy", "centred needs loss: mse"),
        (SMALL | {"batch_norm": True}, {"scheme": "centred"}, "mse", "say batch_norm: frozen"),
    ],
)
def test_starts_that_are_not_defined_are_refused_with_the_reason(network, init, loss, says):
    optimizer = {"name": "sgd", "lr": 0.1, "batch_size": 4}
    with pytest.raises((ConfigError, ValidationError), match=says):
        grid(recipe=DIGITS, network=network, init=init, loss=loss, optimizer=optimizer, predict=[])


# Frozen layers


@pytest.mark.parametrize(
    "optimizer", [GD, {"name": "adam", "lr": 0.01}, GD | {"weight_decay": {"strength": 0.1}}]
)
@pytest.mark.parametrize("frozen", [["dense1"], ["dense2.weight"], ["dense1.bias", "dense2"]])
def test_frozen_tensors_stay_and_the_others_move_as_in_torch(frozen, optimizer):
    fields = one(DENSE | {"frozen": frozen}, optimizer=optimizer, stop={"max_steps": 20})
    ensemble, begin = start(DENSE | {"frozen": frozen}, optimizer=optimizer)
    (values,) = trained([fields], SPLIT)
    module = put(users_module(DENSE), [weight[0] for weight in begin.weights])
    for name, parameter in module.named_parameters():
        ours = f"{name}.".replace("0.", "dense1.", 1).replace("2.", "dense2.", 1)
        parameter.requires_grad_(not any(ours.startswith(f"{one}.") for one in frozen))
    free = [parameter for parameter in module.parameters() if parameter.requires_grad]
    kind = torch.optim.Adam if optimizer["name"] == "adam" else torch.optim.SGD
    decay = optimizer.get("weight_decay", {}).get("strength", 0.0)
    steps = kind(free, lr=optimizer["lr"], weight_decay=decay)
    x, y = torch.tensor(SPLIT.x_train), torch.tensor(SPLIT.y_train)
    for _ in range(20):
        steps.zero_grad()
        (0.5 * ((module(x) - y) ** 2).sum(1).mean()).backward()
        steps.step()
    np.testing.assert_allclose(values["parameters"], numbers(module), rtol=1e-7, atol=1e-9)
    still = [i for i in ensemble.parameters if i not in ensemble.trained]
    assert still
    assert all((values["distance"][i] == 0) == (i in still) for i in ensemble.parameters)


@pytest.mark.parametrize(
    ("frozen", "says"),
    [
        (["first"], "no layer or parameter 'first', but dense1, dense2"),
        (["dense1", "dense2"], "every layer: nothing is left to train"),
    ],
)
def test_frozen_names_that_mean_nothing_or_all_are_refused(frozen, says):
    with pytest.raises(ValueError, match=says):
        start(DENSE | {"frozen": frozen})


# Batch normalization with the statistics of the start


def exact(module, x):
    """The user's module in evaluation, each layer's statistics those of these points."""
    module = deepcopy(module)
    for i, layer in enumerate(module):
        if isinstance(layer, nn.BatchNorm2d):
            with torch.no_grad():
                seen = module[:i].eval()(x)
            layer.running_mean.copy_(seen.mean((0, 2, 3)))
            layer.running_var.copy_(seen.var((0, 2, 3), correction=0))
    return module.eval()


def test_frozen_batch_normalization_is_torch_in_evaluation_with_exact_statistics():
    """At the start, on the training points, the function of batch normalization in training; then gradient
    descent on points that stand for themselves, and statistics that stay."""
    _, begin = start(NORMAL, init={"scheme": "kaiming"})
    points = len(SPLIT.x_train)
    module = put(users_module(NORMAL), [weight[0] for weight in begin.weights])
    expected = exact(module, X[:points])
    torch.testing.assert_close(begin.f[0], expected(X).detach(), rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(begin.f[0, :points], deepcopy(module).train()(X[:points]).detach())
    (values,) = trained([one(NORMAL, init={"scheme": "kaiming"}, stop={"max_steps": 10})], SPLIT)
    optimizer = torch.optim.SGD(expected.parameters(), lr=GD["lr"])
    for _ in range(10):
        optimizer.zero_grad()
        (0.5 * ((expected(X[:points]) - torch.tensor(SPLIT.y_train)) ** 2).sum(1).mean()).backward()
        optimizer.step()
    np.testing.assert_allclose(values["parameters"], numbers(expected), rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(values["test"], expected(X[points:]).detach().numpy(), rtol=1e-8, atol=1e-10)


# Parametrizations


@pytest.mark.parametrize("network", NETWORKS)
def test_ntk_starts_as_standard_and_learns_layer_by_layer_at_another_rate(network):
    """The same f₀; gradients of weights are 1/√fan-in times those of the standard net, biases' the same."""
    ensemble, begin = start(network | {"parametrization": "ntk"}, init={"scheme": "torch_default"})
    module = drawn_alone(network, scheme="torch_default")
    torch.testing.assert_close(begin.f[0], module(X).detach(), rtol=1e-11, atol=1e-12)
    delta = torch.randn(1, len(SPLIT.x_train), CLASSES, dtype=torch.float64)
    found = gradients(ensemble, begin, delta)
    for own, expected in zip(found, users_gradients(module, delta[0]), strict=True):
        fan_in = expected[0].numel() if expected.ndim > 1 else 1
        torch.testing.assert_close(
            own[0].reshape(expected.shape), expected / fan_in**0.5, rtol=1e-10, atol=1e-12
        )


@pytest.mark.parametrize("parametrization", ["ntk", "mup"])
def test_the_path_norm_is_the_functions_own(parametrization):
    """Wherever factors stand."""
    network = {"kind": "dense", "hidden": [8, 6]} | {"parametrization": parametrization}
    network |= {"base": {"hidden": [2, 2]}} if parametrization == "mup" else {}
    ensemble, begin = start(network, init={"scheme": "torch_default"})
    norms = ensemble.path_norms(begin.weights)[0]
    scaled = [w[0, 0] for w in ensemble.model.scaled(begin.weights)]
    for p, found in zip((1, 2), norms, strict=True):
        h = torch.ones(1, int(np.prod(SHAPE)), dtype=torch.float64)
        for weight, bias in zip(scaled[::2], scaled[1::2], strict=True):
            h = h @ weight.abs().mT ** p + bias.abs() ** p
        torch.testing.assert_close(found, h.sum() ** (1 / p), rtol=1e-11, atol=0)


CHANGES = {
    "ntk": {"parametrization": "ntk"},
    "mup": {"parametrization": "mup", "base": {"channels": [1, 2, 1], "hidden": 2}},
    "frozen statistics": {"batch_norm": "frozen"},
    "frozen layer": {"frozen": ["conv2"]},
}


@pytest.mark.parametrize("changes", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("scheme", ["kaiming", "antisymmetric"])
def test_the_jacobian_is_that_of_what_is_trained(changes, scheme):
    """By layers of the module or not: factors multiply it, frozen tensors have no columns, copies have their
    share. PyTorch's jacrev through the plain forward pass is the oracle."""
    ensemble, begin = start(SMALL | changes, init={"scheme": scheme})
    x = begin.x[:, :4]
    f, found = jacobian(ensemble, begin.weights, x)

    def outputs(*own):
        given = dict(enumerate(begin.weights)) | dict(zip(ensemble.trained, own, strict=True))
        net, total = ensemble.model, 0
        for k, c in enumerate(ensemble.readout):
            total = total + c * net.alone([given[i][0, k] for i in range(len(given))], x[0])
        return total

    own = [begin.weights[i] for i in ensemble.trained]
    rows = torch.func.jacrev(outputs, argnums=tuple(range(len(own))))(*own)
    expected = torch.cat([row.reshape(*f.shape[1:], -1) for row in rows], dim=2)
    c = torch.randn_like(f)
    wanted = torch.einsum("no,nop->p", c[0], expected)
    torch.testing.assert_close(found.transposed(c)[0], wanted, rtol=1e-9, atol=1e-10)
    flat = expected.flatten(0, 1)
    torch.testing.assert_close(found.kernel()[0], flat @ flat.mT, rtol=1e-9, atol=1e-9)


def test_predictors_know_a_network_with_frozen_statistics():
    """The linearized network ends at f₀ + Θ_xΘ⁻¹(y − f₀)."""
    wide = NORMAL | {"channels": [6, 8, 8], "hidden": 40}
    fields = one(wide, init={"scheme": "kaiming"}, predict=["linearized"])
    (values,) = trained([fields], SPLIT)
    ensemble, begin = start(wide, init={"scheme": "kaiming"})
    _, found = jacobian(ensemble, begin.weights, begin.x_all)
    kernel = found.kernel()[0]
    size = len(SPLIT.x_train) * CLASSES
    error = torch.tensor(SPLIT.y_train).flatten() - begin.f[0].flatten()[:size]
    limit = begin.f[0].flatten()[size:] + kernel[size:, :size] @ torch.linalg.solve(
        kernel[:size, :size], error
    )
    np.testing.assert_allclose(values["linearized_test"].ravel(), limit.numpy(), rtol=1e-6, atol=1e-6)


def test_a_kernel_of_tied_points_is_refused_also_where_the_plan_could_not_know():
    """A kind of network of an extension may hide its batch normalization."""
    fields = one(NORMAL, predict=["linearized"])
    hidden = fields | {"network": fields["network"] | {"batch_norm": True}}
    with pytest.raises(ValueError, match="ties points together"):
        trained([hidden], SPLIT)
