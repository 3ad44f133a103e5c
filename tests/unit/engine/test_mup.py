"""Maximal updates: Table 3 of arXiv:2203.03466 in plain torch, and its coordinate check."""

from math import prod

import numpy as np
import pytest
import torch
from tests.unit.engine import own_nets
from tests.unit.engine.test_modules import CLASSES, DIGITS, SHAPE, SMALL, put, split, users_module
from tests.unit.helpers import arrays, cell, grid, trained
from torch import nn

from minima.plan.mistakes import ConfigError
from minima.training.start import network_of, start_of

GD = {"name": "gd", "lr": 0.05}
ADAM = {"name": "adam", "lr": 0.003, "epsilon": 1e-30}
DENSE = {"kind": "dense", "hidden": [12]}
NETWORKS = [
    pytest.param({"kind": "dense", "hidden": [7]}, {"hidden": [2]}, id="dense"),
    pytest.param(SMALL, {"channels": [1, 2, 1], "hidden": 2}, id="cnn"),
]
SPLIT = split()


def mup(network, base):
    return network | {"parametrization": "mup", "base": base}


def begun(network, optimizer, data=SPLIT, **sections):
    """Ensemble and start of a cell."""
    fields = cell(network=network, optimizer=optimizer, dtype="float64", predict=[], **sections)
    net = network_of(fields, data)
    return net.ensemble, start_of(net, [fields], [data], torch.device("cpu"))


def ratios(module, narrow):
    """Of each parameter of a plain torch module: r_in and r_out, a bias having no inputs that grow."""
    for wide, base in zip(module.parameters(), narrow.parameters(), strict=True):
        out = len(wide) / len(base)
        yield (prod(wide.shape[1:]) / prod(base.shape[1:]), out) if wide.ndim > 1 else (1.0, out)


@pytest.mark.parametrize("optimizer", [GD, ADAM], ids=["gd", "adam"])
@pytest.mark.parametrize(("network", "base"), NETWORKS)
def test_it_is_table_3_in_plain_torch(network, base, optimizer):
    """Smaller weights of the last layer, and a learning rate of its own for each tensor."""
    fields = cell(
        recipe=DIGITS,
        network=mup(network, base),
        init={"scheme": "torch_default"},
        optimizer=optimizer,
        stop={"max_steps": 15},
        dtype="float64",
        keep_parameters=True,
    )
    (values,) = trained([fields], SPLIT)
    _, plain = begun(network, optimizer, recipe=DIGITS, init={"scheme": "torch_default"})
    module = put(users_module(network), [weight[0] for weight in plain.weights])
    narrow = users_module(network | base) if network["kind"] == "cnn" else narrow_dense(base)
    adam = optimizer["name"] == "adam"
    groups = []
    for parameter, (into, out) in zip(module.parameters(), ratios(module, narrow), strict=True):
        if out == 1:
            with torch.no_grad():
                parameter.div_(into**0.5)
        groups.append({"params": [parameter], "lr": optimizer["lr"] * (1 / into if adam else out / into)})
    steps = torch.optim.Adam(groups, eps=optimizer["epsilon"]) if adam else torch.optim.SGD(groups)
    x, y = torch.tensor(SPLIT.x_train), torch.tensor(SPLIT.y_train)
    f0 = module(torch.tensor(SPLIT.x_test)).detach().numpy()
    np.testing.assert_allclose(values["start_test"], f0, rtol=1e-10, atol=1e-12)
    for _ in range(15):
        steps.zero_grad()
        (0.5 * ((module(x) - y) ** 2).sum(1).mean()).backward()
        steps.step()
    f = module(torch.tensor(SPLIT.x_test)).detach().numpy()
    np.testing.assert_allclose(values["test"], f, rtol=1e-6, atol=1e-8)
    assert np.abs(f - f0).max() > 1e-3


def narrow_dense(base):
    (hidden,) = base["hidden"]
    return nn.Sequential(nn.Linear(prod(SHAPE), hidden), nn.ReLU(), nn.Linear(hidden, CLASSES))


@pytest.mark.parametrize("optimizer", [GD, ADAM], ids=["gd", "adam"])
def test_the_net_of_base_width_is_the_standard_one(optimizer):
    network = {"kind": "dense", "hidden": [9]}
    sections = {"recipe": DIGITS, "init": {"scheme": "kaiming"}, "stop": {"max_steps": 5}, "dtype": "float64"}
    one, other = (
        trained([cell(network=net, optimizer=optimizer, **sections)], SPLIT)[0]
        for net in (network, mup(network, {"hidden": [9]}))
    )
    np.testing.assert_allclose(other["test"], one["test"], rtol=1e-10, atol=1e-12)


def hidden_outputs(ensemble, weights, x):
    """What each linear layer of a dense net gives, written as anyone would, with what the module takes."""
    taken = [weight[0, 0] for weight in ensemble.model.scaled(weights)]
    h, found = x, []
    for weight, bias in zip(taken[::2], taken[1::2], strict=True):
        found.append(h @ weight.mT + bias)
        h = torch.relu(found[-1])
    return found


def slopes(optimizer, parametrization):
    """Of how far each layer's outputs move in five steps, over the width, both as logarithms."""
    data = arrays(points=32, outputs=10, features=64)
    x, widths, sizes = torch.tensor(data.x_train), (64, 256, 1024), []
    for width in widths:
        network = {"kind": "dense", "hidden": [width, width]}
        network = mup(network, {"hidden": [64, 64]}) if parametrization == "mup" else network
        sections = {"init": {"scheme": "kaiming"}, "stop": {"max_steps": 5}, "keep_parameters": True}
        ensemble, start = begun(network, optimizer, data, **sections)
        fields = cell(network=network, optimizer=optimizer, dtype="float64", predict=[], **sections)
        (values,) = trained([fields], data)
        ends = np.cumsum([weight[0].numel() for weight in start.weights])[:-1]
        parts = np.split(values["parameters"], ends)
        end = [torch.tensor(p).view_as(w) for p, w in zip(parts, start.weights, strict=True)]
        pairs = zip(*(hidden_outputs(ensemble, weights, x) for weights in (start.weights, end)), strict=True)
        sizes.append([float((after - before).square().mean().sqrt()) for before, after in pairs])
    return np.polyfit(np.log(widths), np.log(sizes), 1)[0]


@pytest.mark.parametrize("optimizer", [GD | {"lr": 0.02}, {"name": "adam", "lr": 1e-3}], ids=["gd", "adam"])
def test_activations_move_as_far_at_any_width(optimizer):
    """The coordinate check: slopes near 0 in every layer, where the standard net's grow."""
    assert np.abs(slopes(optimizer, "mup")).max() < 0.3
    assert slopes(optimizer, "standard").max() > 0.4


@pytest.mark.parametrize(
    ("network", "optimizer", "says"),
    [
        (DENSE | {"parametrization": "mup"}, GD, "go together"),
        (DENSE | {"base": {"hidden": [3]}}, GD, "go together"),
        (mup(DENSE, {"width": 3}), GD, "width is no option"),
        (mup(DENSE, {"hidden": [0]}), GD, "greater than or equal to 1"),
        (mup(DENSE, {"hidden": [3]}), {"name": "adagrad_norm", "lr": 0.1}, "not known for adagrad_norm"),
    ],
)
def test_what_mup_cannot_know_is_refused(network, optimizer, says):
    with pytest.raises((ConfigError, ValueError), match=says):
        grid(network=network, optimizer=optimizer, init={"scheme": "kaiming"}, predict=[])


def test_a_base_with_other_layers_is_refused():
    with pytest.raises(ValueError, match="has other tensors"):
        begun(mup(DENSE, {"hidden": [3, 3]}), GD, recipe=DIGITS, init={"scheme": "kaiming"})


def test_what_is_no_weight_of_a_layer_grows_in_one_dimension_or_two():
    """Of a transformer, under Adam: places, biases and normalizations move as they do, matrices of which both
    dimensions grow as hidden layers, however the module holds them."""
    network = {"kind": "module", "file": own_nets.__file__, "name": "Transformer", "args": {"width": 32}}
    network |= {"parametrization": "mup", "base": {"args": {"width": 8}}}
    data = arrays(points=4, outputs=3, features=64)
    ensemble, begin = begun(
        network, ADAM, data, recipe=DIGITS | {"classes": [0, 1, 2]}, init={"scheme": "own"}
    )
    net = ensemble.model
    found = {e.name: net.factor(i) for i, e in enumerate(net.entries)}
    quarter = {"block.self_attn.in_proj_weight", "block.self_attn.out_proj.weight", "block.linear1.weight"}
    assert {name for name, a in found.items() if a == 0.25} == quarter | {"out.weight"}
    assert all(a == 1 for name, a in found.items() if name not in quarter | {"out.weight"})
    _, plain = begun(
        network | {"parametrization": "standard", "base": None},
        ADAM,
        data,
        recipe=DIGITS | {"classes": [0, 1, 2]},
        init={"scheme": "own"},
    )
    taken = dict(zip(found, net.scaled(begin.weights), strict=True))
    for name, weight in zip(found, plain.weights, strict=True):
        smaller = 0.5 if name in ("out.weight", "block.linear1.weight") else 1.0
        torch.testing.assert_close(taken[name], smaller * weight, rtol=1e-12, atol=0)
