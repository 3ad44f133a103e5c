"""All that runs on a device runs on a GPU, as far as that can be known without one: with the numbers of the
CPU, on no two devices at once, and without waiting for the GPU from one look at the losses to the next.

What a folder holds is run: a new optimizer, model, loss, probe, schedule, init or predictor is covered.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from math import prod
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from pydantic import TypeAdapter, ValidationError
from tests.unit.abstract_gpu import AbstractGPU
from tests.unit.helpers import CPU, arrays, cells, predictors

import minima
from minima.engine import progress, sharpness
from minima.forms import GRAM, NARROW, form_of
from minima.plan.mistakes import ConfigError
from minima.plan.networks import AnyNetwork
from minima.plan.optimizers import AnyOptimizer, AnySchedule
from minima.plan.parts import declaration
from minima.theory import flows, followed, strides
from minima.theory.predictors import self_consistent
from minima.training.cells import train_cells

FEW, MANY = 2, 5  # steps
BATCH, POINTS = 4, 24  # an epoch is longer than that
GIVEN = 0.5  # what a number is that has no default
WORDS = {"class": "torch.optim.NAdam"}
LENGTH = 4
IMAGE = (1, 8, 8)
DIGITS = {"source": "digits", "train_size": POINTS, "test_size": 6, "labels": "onehot"}
LARGE = dict.fromkeys(("resnet18", "vgg16"), pytest.mark.slow)
INIT = {"pretrained": {"from": "before"}, "matched": {"from": "before", "match": "norm", "draw": "gaussian"}}
OWN_NETS = str(Path(__file__).with_name("own_nets.py"))
TWO_CLASSES = {"network": {"width": 12, "depth": 2}, "recipe": DIGITS | {"classes": [3, 8], "labels": "sign"}}
TWO_LINEAR_LAYERS = {"network": {"width": 24, "depth": 2, "activation": "linear", "parametrization": "none"}}


def parts(folder: str, has: str) -> dict[str, ModuleType]:
    """The modules of a folder of minima that have a name: its parts, without what they share."""
    path = Path(minima.__file__).parent / folder
    names = sorted(file.stem for file in path.glob("[a-z]*.py"))
    found = {name: import_module(f"minima.{folder.replace('/', '.')}.{name}") for name in names}
    return {name: module for name, module in found.items() if hasattr(module, has)}


OPTIMIZERS = [*parts("engine/optimizers", "step")]
SCHEDULES = [*parts("engine/schedules", "schedule")]
LOSSES = [*parts("engine/losses", "loss")]
MODELS = [*parts("engine/models", "build")]
INITS = [name for has in ("draw", "start", "DRAWS") for name in parts("engine/inits", has)]
ACTIVATIONS = [*parts("engine/activations", "value")]
PROBES = [*parts("engine/probes", "measure"), *parts("theory/probes", "measure")]
PREDICTORS = [(name, "mse") for name in predictors()] + [
    pytest.param(name, "logistic", marks=pytest.mark.slow) for name in predictors("logistic")
]


def options(kind: Any, tag: str, name: str) -> dict[str, Any]:
    """A section of the config, with numbers for what has no default."""
    section: dict[str, Any] = {tag: name}
    try:
        TypeAdapter(kind).validate_python(section)
    except ValidationError as refused:
        for error in refused.errors():
            if error["type"] == "missing":
                field = error["loc"][-1]
                section[field] = WORDS.get(field, LENGTH if field == "length" else GIVEN)
    return section


def optimizer(name: str, **more: Any) -> dict[str, Any]:
    section = options(AnyOptimizer, "name", name) | more
    if "batch_size" not in section and name == "sgd":
        section["batch_size"] = BATCH
    return section if name == "flow" else {"lr": 1e-3} | section


def stack(steps: int = FEW, **sections: Any) -> list[dict[str, Any]]:
    """Two networks that stop at a last step."""
    section = {
        "network": {"width": 12, "depth": 3},
        "optimizer": {"name": "gd", "lr": 1e-3},
        "stop": {"residual": None, "max_steps": steps},
        "record": {"steps": [0, steps], "residuals": [0.5]},
        "predict": [],
        "seed": {"start": 3, "count": 2},
        "recipe": {"train_size": POINTS},
    } | sections
    return cells(**section)


def network(name: str) -> dict[str, Any]:
    """The sections for a kind of network."""
    if name == "mlp":
        return {}
    small = {
        "cnn": {"channels": [2, 2, 2], "hidden": 4, "batch_norm": True},
        "dense": {"hidden": [4]},
        "module": {"file": OWN_NETS, "name": "Transformer", "args": {"outputs": 1}},
    }.get(name, {})
    return {
        "network": options(AnyNetwork, "kind", name) | small,
        "optimizer": optimizer("sgd"),  # batch normalization wants batches
        "recipe": DIGITS,
        "init": {"scheme": "kaiming"},
        "dtype": "float64",
    }


def scheme(name: str) -> dict[str, Any]:
    """The sections for an init: those of the first networks that the config lets start so."""
    init = INIT.get(name, {}) | {"scheme": name}
    known = ({}, TWO_LINEAR_LAYERS, network("dense"), network("module"))
    return first_possible(known, init=init)


def first_possible(known: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """The first of these sections with which the config takes these further ones, and they."""
    refused: Exception | None = None
    for sections in known:
        try:
            stack(**(found := sections | more))
            return found
        except (ConfigError, ValidationError) as error:
            refused = refused or error
    raise refused


def run(many: list[dict[str, Any]], device: torch.device, points: int = POINTS) -> list[dict[str, Any]]:
    shape = () if many[0]["network"]["kind"] == "mlp" else IMAGE
    classes = 2 if many[0]["loss"] == "cross_entropy" else 1
    data = [arrays(points, classes, prod(shape) if shape else 5, seed=seed) for seed in range(2)]
    for y in (y for split in data for y in (split.y_train, split.y_test)):
        y[:] = np.sign(y) if classes == 1 else y == y.max(1, keepdims=True)
    done = train_cells(many, [replace(split, shape=shape) for split in data], device)
    return [trained.values for trained in sorted(done, key=lambda trained: trained.position)]


def same_on_a_gpu(many: list[dict[str, Any]], points: int = POINTS) -> list[str]:
    """Trains on the CPU and on the GPU, compares all that a cell stores, and returns for what the GPU was
    waited."""
    # Batch normalization over a few points multiplies rounding from layer to layer: of sixteen, to 2e-8.
    rounding = torch.finfo(getattr(torch, many[0]["dtype"])).eps ** (1 / 3)
    here = run(many, CPU, points)
    with AbstractGPU() as gpu:
        there = run(many, gpu.device, points)
    for one, other in zip(here, there, strict=True):
        assert one.keys() == other.keys()
        assert other["device"] == "cuda"
        for name in one.keys() - {"device", "products", "status"}:
            size = np.nanmax(np.abs(np.asarray(one[name], float)), initial=1e-3)
            np.testing.assert_allclose(other[name], one[name], rtol=0, atol=rounding * size, err_msg=name)
    return gpu.waits


def same_and_never_waits(state: Any = None, points: int = POINTS, **sections: Any) -> None:
    """A longer training waits for no more than a shorter one: both look at the losses at start and end."""
    looks = {"record": {"steps": [0], "residuals": []}}
    shorter, longer = (
        # the state of the cell that it starts from, which a job looks up
        [one | {"init": one["init"] | {"state": state}} for one in stack(steps, **looks, **sections)]
        for steps in (FEW, MANY)
    )
    with AbstractGPU() as gpu:
        run(shorter, gpu.device, points)
    assert gpu.waits, "the looks themselves"
    assert Counter(same_on_a_gpu(longer, points)) <= Counter(gpu.waits)


@pytest.fixture(autouse=True)
def _no_lines_in_the_log(monkeypatch):
    """A line of progress, every ten seconds, reads a number."""
    monkeypatch.setattr(progress, "LOG_SECONDS", float("inf"))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_an_optimizer_steps_on_a_gpu_and_never_waits(name):
    same_and_never_waits(**first_possible(({}, TWO_LINEAR_LAYERS), optimizer=optimizer(name)))


def test_gradient_flow_is_followed_on_a_gpu():
    """It looks at every step, as its error control must."""
    same_on_a_gpu(stack(optimizer={"name": "flow", "tolerance": 0.3}), 6)


@pytest.mark.parametrize("name", SCHEDULES)
def test_a_schedule_moves_the_step_size_on_a_gpu_and_never_waits(name):
    same_and_never_waits(optimizer=optimizer("gd", schedule=options(AnySchedule, "kind", name)))


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_falls_on_a_gpu_and_never_waits(name):
    labels = declaration("losses", name).labels or "onehot"
    same_and_never_waits(loss=name, recipe=DIGITS | {"classes": [3, 8], "labels": labels})


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_passed_on_a_gpu_and_never_waits(name):
    same_and_never_waits(network={"width": 12, "depth": 3, "activation": name})


@pytest.mark.parametrize("name", [pytest.param(one, marks=LARGE.get(one, ())) for one in MODELS])
def test_a_model_trains_on_a_gpu_and_never_waits(name):
    same_and_never_waits(**network(name))


@pytest.mark.parametrize("toward", ["zero", "start"])
def test_weights_decay_on_a_gpu_without_waiting(toward):
    same_and_never_waits(optimizer=optimizer("gd", weight_decay={"strength": 0.1, "toward": toward}))


def test_images_are_moved_on_a_gpu_without_waiting():
    same_and_never_waits(**network("cnn"), augment={"shift": 1, "flip": True})


@pytest.mark.parametrize("name", INITS)
def test_networks_start_on_a_gpu_by_every_scheme_and_never_wait(name):
    state = np.random.default_rng(0).normal(size=12 * 5 + 12 * 12 + 12)
    same_and_never_waits(state, **scheme(name))


@pytest.mark.parametrize(("name", "sections"), [(GRAM, {}), (NARROW, TWO_LINEAR_LAYERS)])
def test_networks_train_in_other_coordinates_on_a_gpu_and_never_wait(name, sections):
    points = 4  # fewer than inputs
    one = stack(**sections)[0]
    sizes = [5, *[one["network"]["width"]] * (one["network"]["depth"] - 1), 1]
    assert form_of(one, sizes, points) == name
    same_and_never_waits(points=points, **sections)


@pytest.mark.parametrize("name", PROBES)
def test_a_probe_looks_at_networks_on_a_gpu(name, monkeypatch):
    """At two linear layers, or at one hidden layer of ReLU, and inputs that the points do not see."""
    monkeypatch.setattr(sharpness, "POWER_ITERATIONS", 2)
    record = {"steps": [0, FEW], "residuals": [], "probes": [name]}
    same_on_a_gpu(stack(**first_possible([TWO_LINEAR_LAYERS, TWO_CLASSES], record=record)), 4)


@pytest.mark.parametrize(("name", "loss"), PREDICTORS)
def test_a_predictor_says_the_same_of_networks_on_a_gpu(name, loss, monkeypatch):
    """By few pieces of a flow, which are as those of a long one."""
    monkeypatch.setattr(flows, "LANDING", 0.9)
    monkeypatch.setattr(self_consistent, "TOLERANCE", 0.1)
    monkeypatch.setattr(followed, "GROWTHS", (3.0, 2.0))
    monkeypatch.setattr(strides, "MOST", 5)
    few = {"max_steps": 10, "growth": 2.0}
    own = {"predict": [name], "optimizer": optimizer("adagrad", lr=0.02), "linearized_run": few}
    if loss != "mse":
        data = DIGITS | {"classes": [3, 8], "labels": "sign"}
        own |= {"loss": loss, "recipe": data, "stop": {"residual": 0.9, "max_steps": FEW}}
    same_on_a_gpu(stack(**own), 6)
