"""Cells in, trained cells out: each as if it were alone, stopped where it says, recorded as it was."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from pydantic import ValidationError
from tests.unit.helpers import (
    CPU,
    arrays,
    cell,
    cells,
    first_weights,
    grid,
    naive,
    predictors,
    relative_difference,
    trained,
)

from minima.engine import core, optimizers
from minima.engine.device import cache_bytes
from minima.plan import parts
from minima.plan.marks import ProbeOfLinearNets, variables
from minima.training import memory as training
from minima.training.cells import train_cells
from minima.training.recording import coordinates, step_grid
from minima.variables import STATUSES

SPLIT = arrays(points=8, outputs=2)
NETWORK = {"width": 16, "depth": 3}
# float32 keeps 7 digits; the last may differ between stacks and grows over some hundred steps (seen: 3e-5).
AGREEMENT = {"float64": 1e-10, "float32": 1e-3}


def stacks_of(monkeypatch, networks):
    """Train so many networks of these cells together, whatever the cache would hold."""
    monkeypatch.setattr(training, "stack_size", lambda *_: networks)


# Neighbours


@pytest.mark.parametrize("dtype", AGREEMENT)
@pytest.mark.parametrize("scheme", ["gaussian", "antisymmetric", "centred"])
@pytest.mark.parametrize("optimizer", ["gd", "heavy_ball"])
def test_a_cell_does_not_depend_on_its_neighbours(monkeypatch, optimizer, scheme, dtype):
    """Alone, in two stacks and in another order a cell has the same results: those that finish early leave
    (here after 1 to 300 steps; some diverge), and the others go on as if they had been alone."""
    many = cells(
        {
            "optimizer.lr": {"half": {"relative": 0.5}, "small": 0.005, "far too large": 1e3},
            "stop.residual": [0.5, 0.05],
        },
        seed={"start": 3, "count": 2},
        network={"width": 17, "depth": 3},  # odd: slices of a stack differ in alignment, hence in rounding
        init={"scheme": scheme},
        optimizer={"name": optimizer},
        stop={"max_steps": 300},
        dtype=dtype,
        keep_parameters=True,
    )
    splits = [arrays(points=8, outputs=2, seed=i % 3) for i in range(len(many))]
    alone = [trained([one], [split])[0] for one, split in zip(many, splits, strict=True)]
    assert {values["status"] for values in alone} == {"converged", "stopped", "diverged"}
    assert len({values["steps"] for values in alone}) > 3
    order = np.random.default_rng(0).permutation(len(many))
    for networks, places in itertools.product((5, 12), (range(len(many)), order)):
        stacks_of(monkeypatch, networks)
        together = trained([many[i] for i in places], [splits[i] for i in places])
        for place, values in zip(places, together, strict=True):
            wanted = alone[place]
            if values["status"] == "diverged":  # what overflowed says nothing
                assert values["steps"] == wanted["steps"]
                continue
            assert relative_difference(values, wanted) <= AGREEMENT[dtype]
            assert values["steps"] == wanted["steps"]


OPTIMIZERS = {
    "gd": {"lr": 0.1},
    "sgd": {"lr": 0.05, "batch_size": 3},
    "sgd, with replacement": {"lr": 0.05, "batch_size": 3, "replacement": True},
    "heavy_ball": {"lr": 0.05},
    "nesterov": {"lr": 0.05, "weight_decay": {"strength": 0.01, "toward": "start"}},
    "nesterov_convex": {"lr": 0.05, "schedule": {"kind": "cosine", "length": 50}},
    "nesterov_strong": {"lr": 0.05, "curvature": 0.01},
    "higher_momentum": {"lr": 0.05},
    "adagrad": {"lr": 0.05},
    "adagrad_norm": {"lr": 0.5},
    "rmsprop": {"lr": 0.005},
    "adam": {"lr": 0.01, "batch_size": 3},
    "adamw": {"lr": 0.01, "weight_decay": {"strength": 0.1}},
    "sign": {"lr": 0.002},
    "preconditioned": {"lr": 0.01, "epsilon": 0.1},
    "torch_optim": {"class": "torch.optim.NAdam", "lr": 0.01},
    "flow": {"tolerance": 0.01},
}


@pytest.mark.parametrize("scheme", ["gaussian", "antisymmetric"])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_no_optimizer_looks_at_the_neighbours(monkeypatch, name, scheme):
    """Alone or in stacks of three in another order: each has its own batches, state and step size."""
    optimizer = {"name": name.split(",")[0], **OPTIMIZERS[name]}
    many = cells(
        {"init.scale": [1, 1.5], "stop.residual": [0.9, 0.05]},
        seed={"start": 5, "count": 2},
        network={"width": 11, "depth": 3, "activation": "tanh"},
        init={"scheme": scheme},
        optimizer=optimizer,
        stop={"max_steps": 60},
        keep_parameters=True,
    )
    splits = [arrays(points=8, outputs=2, seed=i % 3) for i in range(len(many))]
    alone = [trained([one], [split])[0] for one, split in zip(many, splits, strict=True)]
    assert len({values["steps"] for values in alone}) > 1, "some leave before others"
    stacks_of(monkeypatch, 3)
    order = np.random.default_rng(1).permutation(len(many))
    together = trained([many[i] for i in order], [splits[i] for i in order])
    for place, values in zip(order, together, strict=True):
        assert relative_difference(values, alone[place]) <= 1e-10


@pytest.mark.parametrize("blind", [2, 7, 1000])
@pytest.mark.parametrize("name", [name for name in OPTIMIZERS if name != "flow"])
def test_steps_without_a_look_change_nothing(monkeypatch, name, blind):
    """What is recorded, when a network ends and where are the same, bit for bit, however rarely one looks."""
    many = cells(
        {"init.scale": [1, 1.5], "stop.residual": [0.9, 0.3, 0.05]},
        network={"width": 11, "depth": 3, "activation": "tanh"},
        optimizer={"name": name.split(",")[0], **OPTIMIZERS[name]},
        stop={"max_steps": 60},
        record={"residuals": [0.8, 0.5], "probes": ["distance"], "steps_per_decade": 3},
        keep_parameters=True,
    )
    splits = [arrays(points=8, outputs=2)] * len(many)
    seen = trained(many, splits)
    assert len({values["steps"] for values in seen}) > 1, "some leave before others"
    monkeypatch.setattr(core, "steps_between_looks", lambda device: blind)
    for now, then in zip(trained(many, splits), seen, strict=True):
        assert now.keys() == then.keys()
        for variable, value in now.items():
            np.testing.assert_array_equal(value, then[variable], err_msg=variable)


def test_what_is_predicted_changes_nothing_of_the_training():
    """The linearized network draws the same mini-batches, and leaves them to the network."""
    sections = {"network": {"width": 12}, "stop": {"max_steps": 30, "residual": None}}
    sections["optimizer"] = {"name": "adagrad", "lr": 0.02, "batch_size": 3}
    alone, beside = (
        trained([cell(predict=names, **sections)], arrays())[0] for names in ([], ["linearized_trained"])
    )
    assert alone["loss"].tolist() == beside["loss"].tolist()


def test_every_optimizer_is_among_them():
    """But that of two linear layers, which test_rates trains."""
    modules = Path(optimizers.__path__[0]).glob("[a-z]*.py")
    others = {"gradient", "descent_bound"}
    assert {name.split(",")[0] for name in OPTIMIZERS} == {path.stem for path in modules} - others


def test_cells_come_as_they_finish():
    """What has finished is handed over at once, to be safe in the store: the fastest first."""
    many = cells({"optimizer.lr": [0.02, 0.1, 0.4]}, network=NETWORK, stop={"residual": 0.3})
    assert [done.position for done in train_cells(many, [SPLIT] * 3, CPU)] == [2, 1, 0]


def test_a_stack_fills_the_cache_and_no_more():
    """On a CPU as many networks as fit a core's cache, at least one; on a GPU all."""
    shapes = [(256, 64), (1, 256)]
    network = 3 * 256 * 65 + 257 * 100  # weights, their gradients and an optimizer's moment; activations
    held = cache_bytes()
    assert training.stack_size(shapes, 1, 100, "float64", CPU) == held // (8 * network)
    assert training.stack_size(shapes, 2, 100, "float32", CPU) == held // (8 * network)
    assert training.stack_size([(4096, 4096)], 1, 100, "float64", CPU) == 1
    assert training.stack_size(shapes, 1, 100, "float64", torch.device("cuda")) > 10**6


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_finds_what_a_cpu_finds():
    """The device is no part of a cell."""
    many = cells({"optimizer.lr": [0.05, 0.1]}, network=NETWORK, stop={"residual": 0.05})
    splits = [SPLIT] * len(many)
    on_gpu = {d.position: d.values for d in train_cells(many, splits, torch.device("cuda"))}
    for place, values in enumerate(trained(many, splits)):
        assert relative_difference(on_gpu[place], values) < 1e-9


# Records


def plain_loop(fields, split, steps):
    """Losses of the steps and the last weights of gradient descent as anyone would write it."""
    _, theta = first_weights(fields["seed"])
    theta = [weight[0].requires_grad_() for weight in theta]
    x, y = torch.tensor(split.x_train), torch.tensor(split.y_train)
    losses = []
    for _ in range(steps + 1):
        loss = (naive(theta, x, "relu", "ntk") - y).square().sum() / (2 * len(y))
        losses.append(loss.item())
        for weight, gradient in zip(theta, torch.autograd.grad(loss, theta), strict=True):
            weight.data -= fields["optimizer"]["lr"] * gradient
    return np.array(losses)


def test_records_are_those_of_a_plain_loop():
    """Losses at the recorded steps, NaN after the end, and the first steps at the recorded residuals."""
    levels = [0.9, 0.5, 0.3, 1e-6]
    fields = cell(
        5,
        network=NETWORK,
        optimizer={"name": "gd", "lr": 0.2},
        stop={"residual": 0.2, "max_steps": 1000},
        record={"residuals": levels},
    )
    (values,) = trained([fields], SPLIT)
    losses = plain_loop(fields, SPLIT, values["steps"])
    steps = np.array(coordinates(fields)["step"])
    recorded = steps <= values["steps"]
    assert 0 < recorded.sum() < len(steps)
    np.testing.assert_allclose(values["loss"][recorded], losses[steps[recorded]], rtol=1e-10)
    assert np.isnan(values["loss"][~recorded]).all()
    residuals = np.sqrt(losses / losses[0])
    first = [int(np.argmax(residuals <= level)) for level in levels[:3]]
    np.testing.assert_array_equal(values["residual_steps"], [*first, np.nan])  # NaN: never
    assert values["steps"] == np.argmax(residuals <= 0.2)


@pytest.mark.parametrize("max_steps", [1, 2, 9, 10, 1234, 100_000])
@pytest.mark.parametrize("per_decade", [1, 10, 1000])
def test_the_step_grid_is_log_spaced(max_steps, per_decade):
    """From 0 through 1 to the last step, strictly rising, and no gap wider than asked for."""
    steps = step_grid({"steps": None, "steps_per_decade": per_decade}, max_steps)
    assert steps[:2] == [0, 1]
    assert steps[-1] == max_steps
    assert all(isinstance(step, int) for step in steps)
    gaps = np.diff(steps)
    assert (gaps > 0).all()
    ratio = 10 ** (1 / per_decade)
    assert (gaps[1:] <= 1 + (ratio - 1) * np.array(steps[1:-1]) * (1 + 1e-9)).all()


@pytest.mark.parametrize(("max_steps", "steps"), [(9, [0, 3, 6, 9]), (10, [0, 3, 6, 9, 10]), (1, [0, 1])])
def test_every_third_step_is_recorded_and_the_last_one(max_steps, steps):
    fields = cell(record={"every": 3}, stop={"max_steps": max_steps})
    assert coordinates(fields)["step"] == steps


def test_one_grid_of_steps_is_given():
    with pytest.raises(ValidationError, match="steps and every both say which steps are recorded"):
        cell(record={"every": 3, "steps": [1, 2]})


def test_a_cell_that_records_as_before_is_written_as_before():
    """So that cells in a store are found again."""
    assert "every" not in grid().cells[0].json
    assert '"every":3' in grid(record={"every": 3}).cells[0].json


def test_declared_steps_and_levels_are_sorted_once():
    """Order and doubles of the config change nothing; steps that are never reached are left out."""
    fields = cell(record={"steps": [30, 0, 7, 7, 999], "residuals": [0.01, 0.5]}, stop={"max_steps": 50})
    assert coordinates(fields) == {"step": [0, 7, 30], "level": [0.5, 0.01]}


def test_residual_steps_belong_to_their_level():
    """`residual_steps` is in the order of the coordinate `level`, however the config lists them."""
    fields = cell(network=NETWORK, record={"residuals": [0.2, 0.8, 0.4]}, stop={"residual": 0.1})
    (values,) = trained([fields], SPLIT)
    assert coordinates(fields)["level"] == [0.8, 0.4, 0.2]
    assert sorted(values["residual_steps"]) == values["residual_steps"].tolist()
    assert values["residual_steps"][0] > 0


@pytest.mark.parametrize("scheme", ["gaussian", "antisymmetric"])
@pytest.mark.parametrize("dtype", ["float64", "float32"])
def test_kept_parameters_are_the_network(dtype, scheme):
    """Read back, they give the reported predictions, norms and distances; unasked they are absent."""
    fields = {"network": NETWORK, "init": {"scheme": scheme}, "stop": {"residual": 0.3}, "dtype": dtype}
    kept, plain = (trained([cell(6, keep_parameters=keep, **fields)], SPLIT)[0] for keep in (True, False))
    assert set(kept) - set(plain) == {"parameters"}
    model, first = first_weights(6)
    pair = scheme == "antisymmetric"
    start = [weight.repeat(1 + pair, 1, 1) for weight in first]
    sizes = [weight.numel() for weight in start]
    flat = torch.tensor(kept["parameters"])
    assert flat.dtype == getattr(torch, dtype)
    layers = [part.reshape(w.shape).double() for part, w in zip(flat.split(sizes), start, strict=True)]
    readout = (0.5**0.5, -(0.5**0.5)) if pair else (1.0,)
    tolerance = 1e-12 if dtype == "float64" else 1e-4
    for part, x in (("train", SPLIT.x_train), ("test", SPLIT.x_test)):
        copies = [
            naive([layer[k] for layer in layers], torch.tensor(x), "relu", "ntk") for k in range(1 + pair)
        ]
        expected = sum(c * f for c, f in zip(readout, copies, strict=True)).numpy()
        np.testing.assert_allclose(kept[part], expected, rtol=tolerance, atol=tolerance)
    for name, by_hand in (
        ("start_norm", start),
        ("norm", layers),
        ("distance", [after - before for after, before in zip(layers, start, strict=True)]),
    ):
        norms = [float(weight.norm()) for weight in by_hand]
        np.testing.assert_allclose(kept[name], norms, rtol=100 * tolerance)
    assert model.weight_shapes[0] == (16, 5)


@pytest.mark.parametrize("dtype", ["float64", pytest.param("float32", marks=pytest.mark.slow)])
def test_every_result_is_a_known_variable(dtype):
    """Names and dimensions are those of the table that store, packs and datasets share."""
    sizes = {"step": 0, "level": 2, "train_point": 8, "point": 6, "output": 2, "layer": 3, "parameter": 368}
    sizes |= {"hidden_layer": 2, "extreme": 2, "bound": 2, "mode": 16, "power": 2, "constant": 9}
    sizes |= {"neurons": 3, "changes": 2, "neuron_cosine": 3, "output_sign": 2, "class_sum": 3}
    known = parts.options("probes").items()
    two_linear_layers = [name for name, probe in known if issubclass(probe, ProbeOfLinearNets)]
    two_classes = ["class_sums", "neuron_cosines", "output_signs", "own_cone", "wrong_changes"]
    rest = {"stop": {"residual": 0.5}, "keep_parameters": True, "dtype": dtype}
    probes = [name for name in parts.names("probes") if name not in two_linear_layers + two_classes]
    deep = cell(
        network=NETWORK,
        optimizer={"name": "heavy_ball"},
        record={"probes": probes, "spectrum": True},
        predict=predictors(),
        **rest,
    )
    linear = cell(
        network={"width": 16, "activation": "linear"},
        record={"probes": two_linear_layers},
        **rest,
    )
    classes = cell(
        recipe={"source": "cone", "cosine": 0.1, "train_size": 8, "test_size": 6},
        network={"width": 16, "depth": 2},
        record={"probes": two_classes},
        **rest,
    )
    signs = arrays()
    signs = replace(signs, y_train=np.sign(signs.y_train))
    sizes["step"] = len(coordinates(deep)["step"])
    found = {}
    shallow = {"layer": 2, "parameter": 112}
    ran = [
        (linear, SPLIT, shallow),
        (classes, signs, shallow | {"output": 1, "parameter": 96}),
        (deep, SPLIT, {}),
    ]
    for fields, split, own in ran:
        (values,) = trained([fields], split)
        found |= values
        for name, value in values.items():
            assert np.shape(value) == tuple((sizes | own)[dim] for dim in variables()[name].dims), name
    elsewhere = {"flow_time", "time_path", "plane"}  # in test_flow and test_augment
    elsewhere |= {name for name in variables() if name.startswith("max_margin")}  # of classes
    assert set(found) == set(variables()) - elsewhere
    assert found["status"] in STATUSES
