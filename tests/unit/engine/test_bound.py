"""The fast passes of nets on a CPU are the plain ones, whatever is trained and by whichever library."""

from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

import pytest
import torch
from tests.unit.helpers import PHI, weights

from minima.engine import optimizers, passes, products
from minima.engine.batches import Batches
from minima.engine.core import Recipe, Rules, train
from minima.engine.decay_bound import DecayBound
from minima.engine.device import cache_bytes
from minima.engine.ensemble import Ensemble
from minima.engine.networks import gram
from minima.engine.networks.mlp import MLP
from minima.engine.stack import stacked

STEPS = 200
COPIES = {"one copy": (1.0,), "antisymmetric": (0.5**0.5, -(0.5**0.5))}
BOUND = [f"bound.{name}" for name in DecayBound._fields[1:]]
NUMBERS = {
    "gd": {"lr": 0.1},
    "sgd": {"lr": 0.1},
    "heavy_ball": {"lr": 0.05, "momentum": 0.9},
    "nesterov": {"lr": 0.05, "momentum": 0.9},
    "nesterov_convex": {"lr": 0.05, "r": 3.0},
    "nesterov_strong": {"lr": 0.05, "curvature": 0.01},
    "higher_momentum": {"lr": 0.05, "beta1": 0.5, "beta2": 0.2},
    "sign": {"lr": 1e-5},
    "adagrad": {"lr": 0.02, "epsilon": 0.1},
    "adagrad_norm": {"lr": 0.02, "epsilon": 0.1},
    "rmsprop": {"lr": 1e-3, "alpha": 0.9, "epsilon": 0.1},
    "adam": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "epsilon": 0.1},
    "adamw": {"lr": 1e-3, "beta1": 0.9, "beta2": 0.99, "epsilon": 0.1},
    "preconditioned": {"lr": 1e-3, "epsilon": 0.1},
    "torch_optim": {"lr": 1e-3},
    "descent_bound": {"lr": 0.2, "bound.fall": 1.0} | dict.fromkeys(BOUND, 2.0),
}
OPTIONS = {"torch_optim": {"class": "torch.optim.NAdam", "arguments": {"eps": 0.1}}}
SAMPLE = (Path(optimizers.__file__).parent).glob("[a-z]*.py")
OTHERS = {"gradient", "flow"}  # shared quotients; an integrator with a loop of its own


@dataclass(frozen=True)
class Plain(MLP):
    """The same net without its fast passes."""

    bound = None


class PlainGram(gram.Gram):
    bound = None


def data(networks=2, points=12, features=5, outputs=1):
    """Points and targets, which with several outputs are a distribution over them."""
    generator = torch.Generator().manual_seed(3)
    draw = {"generator": generator, "dtype": torch.float64}
    x, y = torch.randn(networks, points, features, **draw), torch.randn(networks, points, outputs, **draw)
    return x, y if outputs == 1 else y.softmax(2)


def trained(ensemble, theta, x, y, how, steps=STEPS):
    """Losses at the first steps and the last, and the last weights, network after network."""
    none = torch.full((len(y),), -1.0, dtype=torch.float64)
    shown = [0, 1, steps]
    done = sorted(
        train(ensemble, theta, x, y, how, Rules(none, none, steps, shown, [])), key=lambda d: d.index
    )
    assert [one.status for one in done] == ["stopped"] * len(y)
    return [[one.losses, *one.weights] for one in done]


def recipe(optimizer="gd", loss="mse", networks=2, **more):
    numbers = {name: torch.full((networks,), value) for name, value in NUMBERS[optimizer].items()}
    more = {"options": OPTIONS.get(optimizer, {})} | more
    module = import_module(f"minima.engine.optimizers.{optimizer}")
    return Recipe(
        module, numbers | more.pop("numbers", {}), import_module(f"minima.engine.losses.{loss}").loss, **more
    )


def agree(found, expected, relative=1e-10):
    """Every tensor of every network, relative to its largest entry."""
    for one, other in zip(found, expected, strict=True):
        for a, b in zip(one, other, strict=True):
            torch.testing.assert_close(a, b, rtol=relative, atol=relative * float(b.abs().max()))


def compare(model, plain, readout=(1.0,), how=recipe, outputs=1, steps=STEPS, points=12):
    theta = weights(model, 2, len(readout))
    x, y = data(outputs=outputs, features=model.sizes[0], points=points)
    fast = trained(Ensemble(model, readout), theta, x, y, how(), steps)
    agree(fast, trained(Ensemble(plain, readout), theta, x, y, how(), steps))
    return fast


def test_every_optimizer_is_compared():
    """A new one has to say its numbers here."""
    assert {path.stem for path in SAMPLE} - OTHERS == set(NUMBERS)


@pytest.mark.parametrize("library", products.LIBRARIES)
@pytest.mark.parametrize("optimizer", NUMBERS)
def test_every_optimizer_takes_the_steps_of_the_plain_loop(optimizer, library):
    """200 steps, relative to 1e-10, by either library."""
    with products.by(library):
        compare(MLP((5, 7, 1), "tanh", "ntk"), Plain((5, 7, 1), "tanh", "ntk"), how=lambda: recipe(optimizer))


@pytest.mark.parametrize("outputs", [1, 3])
@pytest.mark.parametrize("loss", ["mse", "logistic", "exponential", "cross_entropy"])
@pytest.mark.parametrize("readout", COPIES.values(), ids=COPIES)
def test_every_loss_and_readout(loss, readout, outputs):
    shape = (5, 7, outputs), "relu", "ntk"
    compare(MLP(*shape), Plain(*shape), readout, lambda: recipe(loss=loss), outputs)


@pytest.mark.parametrize("library", products.LIBRARIES)
@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
@pytest.mark.parametrize("activation", PHI)
def test_every_shape(activation, parametrization, depth, outputs, library):
    """Points fewer and more than units, so that both ways to the first gradient are taken."""
    for hidden in (7, 3):
        shape = (5, *[hidden] * (depth - 1), outputs), activation, parametrization
        with products.by(library):
            compare(MLP(*shape), Plain(*shape), outputs=outputs, steps=20)


@pytest.mark.parametrize("frozen", [(0,), (1,), (0, 2)])
@pytest.mark.parametrize("readout", COPIES.values(), ids=COPIES)
def test_frozen_layers_stay(frozen, readout):
    shape = (5, 7, 6, 1), "tanh", "ntk", frozen
    model = MLP(*shape)
    before = weights(model, 2, len(readout))
    for row, (_, *after) in enumerate(compare(model, Plain(*shape), readout)):
        for layer, weight in enumerate(after):
            assert torch.equal(weight, before[layer][row]) == (layer in frozen)


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("depth", [2, 3])
@pytest.mark.parametrize("activation", PHI)
def test_the_gram_form(activation, depth, outputs):
    shape = (9, *[7] * (depth - 1), outputs), activation, "ntk"
    theta = weights(MLP(*shape), 2, 1)
    x, y = data(features=9, points=6, outputs=outputs)
    fast = gram.into(Ensemble(MLP(*shape)), theta, x)
    plain = Ensemble(PlainGram(*shape))
    expected = trained(plain, fast.weights, fast.x, y, recipe())
    agree(trained(fast.ensemble, fast.weights, fast.x, y, recipe()), expected)


@pytest.mark.parametrize("readout", COPIES.values(), ids=COPIES)
@pytest.mark.parametrize("size", [4, 5], ids=["all of a size", "the last one smaller"])
def test_mini_batches(size, readout):
    shape = (5, 7, 1), "relu", "ntk"
    compare(
        MLP(*shape), Plain(*shape), readout, lambda: recipe("sgd", batches=Batches([0, 1], 12, size, False))
    )


@pytest.mark.parametrize("toward", ["zero", "start"])
@pytest.mark.parametrize("optimizer", ["gd", "adamw"])
def test_weight_decay(optimizer, toward):
    """Of the gradient and of the weights."""
    shape = (5, 7, 1), "tanh", "ntk"
    strength = {"weight_decay.strength": torch.tensor([0.1, 0.0])}
    how = {"numbers": strength, "decay_toward": toward}
    compare(MLP(*shape), Plain(*shape), how=lambda: recipe(optimizer, **how))


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("form", ["plain", "gram"])
def test_blocks_of_points_add_up(form, outputs):
    """More points than a cache holds: loss and gradient are those of all of them."""
    width = 512
    points = 3 * cache_bytes() // (8 * width) + 5
    shape = (3, width, outputs), "relu", "ntk"
    theta = weights(MLP(*shape), 1, 1)
    x, y = data(networks=1, points=points, features=3, outputs=outputs)
    ensemble, plain = Ensemble(MLP(*shape)), Ensemble(Plain(*shape))
    if form == "gram":
        coordinates = gram.into(ensemble, theta, x)
        ensemble, theta, x = coordinates.ensemble, coordinates.weights, coordinates.x
        plain = Ensemble(PlainGram(*shape))
    how = recipe(networks=1)
    agree(trained(ensemble, theta, x, y, how, 3), trained(plain, theta, x, y, how, 3))


def test_the_plain_way_is_there_for_other_devices_and_models():
    """No fast passes on the device `meta`, nor of a model that has none."""
    x, y = data()

    def chosen(model, device):
        stack = stacked(
            [0, 1], [w.to(device) for w in weights(model, 2, 1)], x.to(device), y.to(device), [], {}, False
        )
        return type(passes.passes_of(Ensemble(model), stack, recipe().loss))

    shape = (5, 7, 1), "relu", "ntk"
    assert chosen(MLP(*shape), "cpu") is passes.BoundPasses
    assert chosen(MLP(*shape), "meta") is passes.PlainPasses
    assert chosen(Plain(*shape), "cpu") is passes.PlainPasses
