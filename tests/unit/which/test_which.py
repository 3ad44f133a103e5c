"""The question asked of one network: the answer is the workflow's own, and what cannot be asked is told."""

import logging
import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch
from tests.unit.engine import own_nets
from tests.unit.helpers import CPU, cell, trained
from torch import nn

from minima import predict_minimizer, which_minimizer
from minima.training.start import Arrays, network_of, start_of

POINTS, TESTS, OUTPUTS = 12, 6, 3
ROWS = {"dense": (64,), "cnn": (1, 8, 8), "module": (8, 8)}
NETWORKS = {
    "dense": {"hidden": [9]},
    "cnn": {"channels": [2, 3, 3], "hidden": 6},
    "module": {"file": own_nets.__file__, "name": "Residual"},
}
RECIPE = {
    "source": "digits",
    "classes": [0, 1, 2],
    "labels": "onehot",
    "train_size": POINTS,
    "test_size": TESTS,
}
HOW = {
    "gd": {"lr": {"relative": 0.9}},
    "heavy_ball": {"lr": {"relative": 0.1}, "momentum": 0.5, "batch_size": 5},
    "adam": {"lr": 0.01},
    "adagrad": {"lr": 0.05, "batch_size": 5},
}


def data(shape):
    rng = np.random.default_rng(0)
    x, classes = rng.normal(size=(POINTS + TESTS, np.prod(shape))), rng.integers(OUTPUTS, size=POINTS + TESTS)
    y = np.eye(OUTPUTS)[classes]
    return Arrays(x[:POINTS], y[:POINTS], x[POINTS:], y[POINTS:], shape=shape)


def shaped(split):
    """x, y, x_test as a user has them."""
    return split.x_train.reshape(-1, *split.shape), split.y_train, split.x_test.reshape(-1, *split.shape)


class Plain(nn.Module):
    """One hidden layer, for rows of numbers or images."""

    def __init__(self, features=4, outputs=2, width=6):
        super().__init__()
        self.into, self.out = nn.Linear(features, width), nn.Linear(width, outputs)

    def forward(self, x):
        return self.out(self.into(x.flatten(1)).tanh())


class Around(nn.Module):
    """A network with what a test puts behind it."""

    def __init__(self, behind, **sizes):
        super().__init__()
        self.net, self.behind = Plain(**sizes), behind

    def forward(self, x):
        return self.behind(self.net(x))


def toy(outputs=2, points=7, tests=5):
    rng = np.random.default_rng(1)
    return rng.normal(size=(points, 4)), rng.normal(size=(points, outputs)), rng.normal(size=(tests, 4))


def plain(**sizes):
    torch.manual_seed(0)
    return Plain(**sizes).double()


def of_cell(kind, fields, split):
    """The network at the start of a cell, as a module in float64."""
    network = network_of(fields, split)
    weights = start_of(network, [fields], [split], CPU).weights
    module = network.asked_for.module.double().to_empty(device="cpu")
    with torch.no_grad():
        for parameter, weight in zip(module.parameters(), weights, strict=False):
            parameter.copy_(weight.reshape(parameter.shape))
        for own, buffer in own_nets.Residual().named_buffers() if kind == "module" else ():
            module.get_buffer(own).copy_(buffer)
    return module


@pytest.mark.parametrize("kind", NETWORKS)
@pytest.mark.parametrize("name", HOW)
def test_it_predicts_what_the_workflow_predicts(kind, name):
    """For the same network, data, optimizer and batches, by every predictor of the default answer and by the
    linearized training, whose batches are those of the seed."""
    if (kind, name) == ("cnn", "adagrad"):
        pytest.skip("one adaptive method is enough")
    split = data(ROWS[kind])
    linear = name in ("gd", "heavy_ball")
    which = ["linearized", "linearized_trained", *(["interpolant"] if linear else ["preconditioned_start"])]
    fields = cell(
        seed=3,
        recipe=RECIPE | {"shape": list(split.shape)},
        network={"kind": kind, **NETWORKS[kind]},
        optimizer={"name": name, **HOW[name]},
        stop={"max_steps": 1},
        linearized_run={"residual": 0.5, "max_steps": 2000},
        predict=which,
        dtype="float64",
    )
    (wanted,) = trained([fields], [split])
    answer = which_minimizer(
        of_cell(kind, fields, split),
        *shaped(split),
        name,
        **HOW[name],
        which=which,
        linearized_run={"residual": 0.5, "max_steps": 2000},
        seed=3,
        verbose=False,
    )
    assert answer.predicted.predictor.values.tolist() == which
    for predictor in which:
        found = answer.predicted.sel(predictor=predictor)
        expected = wanted[f"{predictor}_test"]
        assert np.isfinite(expected).all()
        # The way from the same numbers is the same, but for products of stacks and of one network.
        np.testing.assert_allclose(found.test, expected, rtol=1e-8, atol=1e-8 * np.abs(expected).max())
        assert found.length.item() == pytest.approx(wanted[f"{predictor}_length"], rel=1e-6)
        assert found.steps.item() == wanted[f"{predictor}_steps"]
    np.testing.assert_allclose(answer.predicted.start_test, wanted["start_test"], rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("name", ["gd", "adam"])
def test_under_cross_entropy_it_predicts_what_the_workflow_predicts(name):
    """With classes as whole numbers, to the same training loss."""
    split = data(ROWS["dense"])
    how, stop = {"lr": {"gd": 0.5, "adam": 0.01}[name]}, {"loss": 0.5, "max_steps": 3000}
    which = ["linearized", "linearized_trained"]
    fields = cell(
        seed=3,
        recipe=RECIPE,
        network={"kind": "dense", **NETWORKS["dense"]},
        loss="cross_entropy",
        optimizer={"name": name, **how},
        stop=stop,
        predict=which,
        dtype="float64",
    )
    (wanted,) = trained([fields], [split])
    net, (x, y, x_test) = of_cell("dense", fields, split), shaped(split)
    answer = which_minimizer(
        net, x, y.argmax(1), x_test, name, **how, loss="cross_entropy", stop=stop, which=which, verbose=False
    )
    for predictor in which:
        expected = wanted[f"{predictor}_test"]
        assert np.isfinite(expected).all()
        found = answer.predicted.test.sel(predictor=predictor)
        np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-6 * np.abs(expected).max())


def test_it_is_the_closed_form():
    """f₀ + Θ_x Θ⁻¹ (y − f₀) with Θ by autograd, whatever the precision of the network."""
    net, (x, y, x_test) = plain(), toy()
    both = torch.tensor(np.concatenate([x, x_test]))
    parameters = dict(net.named_parameters())
    f = net(both).detach().numpy()
    by_layer = torch.func.jacrev(lambda own: torch.func.functional_call(net, own, (both,)))(parameters)
    rows = torch.cat([one.flatten(2) for one in by_layer.values()], 2).flatten(0, 1).detach().numpy()
    kernel, n = rows @ rows.T, y.size
    limit = f[len(x) :].ravel() + kernel[n:, :n] @ np.linalg.solve(kernel[:n, :n], (y - f[: len(x)]).ravel())
    found = predict_minimizer(net, x, y, x_test, which="linearized", verbose=False).test
    np.testing.assert_allclose(found.values.ravel(), limit, rtol=1e-7, atol=1e-8)
    single = predict_minimizer(plain().float(), x, y, x_test, which="linearized", verbose=False).test
    np.testing.assert_allclose(single.values, found.values, rtol=1e-3, atol=1e-4)


def test_it_takes_half_precision_for_what_it_says():
    """Numbers of a network in bfloat16 are numbers of float64; trained, it is judged in its own precision."""
    net = plain().to(torch.bfloat16)
    x, y, x_test = map(torch.tensor, toy())
    answer = which_minimizer(net, x.to(torch.bfloat16), y, x_test.to(torch.bfloat16), verbose=False)
    exact = [rows.to(torch.bfloat16).double() for rows in (x, x_test)]
    wanted = which_minimizer(deepcopy(net).double(), exact[0], y, exact[1], verbose=False)
    np.testing.assert_array_equal(answer.predicted.test, wanted.predicted.test)
    assert answer.nearest(net).residual == pytest.approx(1, rel=0.02)


def test_a_network_that_descent_has_trained_is_nearest_to_the_linearization():
    """Plain PyTorch trains a wide network in the lazy regime; no other minimizer is as near."""
    torch.manual_seed(3)
    net = Plain(width=3000).double()
    x, y, x_test = toy(points=5)
    y = 0.1 * y
    answer = which_minimizer(net, x, y, x_test, "gd", verbose=False)
    steps = torch.optim.SGD(net.parameters(), lr=0.003)
    inputs, targets = torch.tensor(x), torch.tensor(y)
    for _ in range(3000):
        steps.zero_grad()
        (((net(inputs) - targets) ** 2).sum() / (2 * len(x))).backward()
        steps.step()
    nearest = answer.nearest(net)
    assert nearest.name == "linearized"
    assert nearest.next == "interpolant"
    assert nearest.distance < 0.01 < nearest.lead
    assert nearest.lead == pytest.approx(np.diff(nearest.distances).item())
    assert answer.nearest(net, within=nearest.distance / 2).name == "none"
    f = net(torch.tensor(x_test)).detach().numpy()
    for name in ("linearized", "interpolant"):
        g = answer.predicted.test.sel(predictor=name).values
        apart = np.linalg.norm(f - g) / np.linalg.norm(f)
        assert nearest.distances.sel(minimizer=name).item() == pytest.approx(apart)
    left = np.linalg.norm(net(inputs).detach().numpy() - y)
    start = np.linalg.norm(answer.given.net(inputs).detach().numpy() - y)
    assert nearest.residual == pytest.approx(left / start, rel=1e-6)
    assert "linearized" in repr(nearest)


def test_predictions_are_judged_as_the_network_is():
    """An array on the test points, of one output without its dimension too; nothing is nearer to a minimizer
    than itself."""
    x, y, x_test = toy(outputs=1)
    answer = which_minimizer(plain(outputs=1), x, y[:, 0], x_test, verbose=False)
    for name in answer.predicted.predictor.values:
        f = answer.predicted.test.sel(predictor=name).values
        for given in (f, f[:, 0], torch.tensor(f)):
            nearest = answer.nearest(given)
            assert (nearest.name, nearest.distance) == (name, 0)
            assert nearest.next != name
            assert np.isnan(nearest.residual)


def test_the_network_is_left_alone():
    net = plain().float()
    net.eval()
    before = {name: tensor.clone() for name, tensor in net.state_dict().items()}
    answer = which_minimizer(net, *toy(), verbose=False)
    answer.nearest(net)
    assert not net.training
    assert all(torch.equal(before[name], tensor) for name, tensor in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


@pytest.mark.parametrize(
    ("optimizer", "names"),
    [
        ("gd", ["linearized", "interpolant"]),
        ({"name": "heavy_ball", "momentum": 0.5}, ["linearized", "interpolant"]),
        ("flow", ["linearized", "interpolant"]),
        ("adam", ["linearized", "adaptive_flow", "preconditioned_start"]),
        (
            {"name": "adam", "schedule": {"kind": "cosine", "length": 50}},
            ["linearized", "preconditioned_start"],
        ),
        ({"name": "sign", "lr": 1e-3}, ["linearized", "linearized_trained", "preconditioned_start"]),
    ],
)
def test_by_default_it_asks_what_makes_sense_for_the_optimizer(optimizer, names):
    """Without those that the plan refuses."""
    answer = which_minimizer(
        plain(), *toy(points=4), optimizer, linearized_run={"residual": 0.5}, verbose=False
    )
    assert answer.predicted.predictor.values.tolist() == names
    assert (answer.predicted.seconds > 0).all()
    assert all(name in repr(answer) for name in names)


def test_tensors_and_arrays_are_the_same():
    x, y, x_test = toy()
    found = [
        predict_minimizer(plain(), *map(kind, (x, y, x_test)), which=["linearized"], verbose=False).test
        for kind in (np.asarray, torch.tensor, np.ndarray.tolist)
    ]
    assert all((one == found[0]).all() for one in found)


def test_classes_are_a_column_each():
    x, _, x_test = toy(points=5)
    classes = np.array([0, 2, 1, 1, 0])
    found, wanted = (
        predict_minimizer(plain(outputs=3), x, y, x_test, which="linearized", verbose=False).test
        for y in (torch.tensor(classes), np.eye(3)[classes])
    )
    assert (found == wanted).all()


def test_batch_normalization_is_taken_as_it_is_in_evaluation(caplog):
    """As in a network where an affine map stands in its place; in training mode that is said."""
    x, y, x_test = toy()
    norm = nn.BatchNorm1d(2).double()
    norm.running_mean.copy_(torch.tensor([0.3, -0.2]))
    norm.running_var.copy_(torch.tensor([0.5, 2.0]))
    torch.manual_seed(0)
    net = Around(norm).double()
    with caplog.at_level(logging.WARNING, "minima"):
        found = predict_minimizer(net, x, y, x_test, which="linearized", verbose=False).test
    assert "batch normalization" in caplog.text
    caplog.clear()
    again = predict_minimizer(net.eval(), x, y, x_test, which="linearized", verbose=False).test
    assert not caplog.text
    assert (found == again).all()

    class Affine(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight, self.bias = nn.Parameter(torch.ones(2)), nn.Parameter(torch.zeros(2))

        def forward(self, f):
            mean, variance = f.new_tensor([0.3, -0.2]), f.new_tensor([0.5, 2.0])
            return self.weight * (f - mean) / (variance + 1e-5).sqrt() + self.bias

    torch.manual_seed(0)
    affine = Around(Affine()).double()
    wanted = predict_minimizer(affine, x, y, x_test, which="linearized", verbose=False).test
    np.testing.assert_allclose(found, wanted, rtol=1e-8, atol=1e-9)


def test_dropout_is_off_in_evaluation():
    x, y, x_test = toy()
    net = Around(nn.Dropout(0.5)).double()
    with pytest.raises(ValueError, match=r"net: Around draws random numbers in forward: set dropout to p=0"):
        which_minimizer(net, x, y, x_test, verbose=False)
    found = predict_minimizer(net.eval(), x, y, x_test, which="linearized", verbose=False).test
    wanted = predict_minimizer(net.net, x, y, x_test, which="linearized", verbose=False).test
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


def test_what_takes_long_is_told(capsys):
    which_minimizer(plain(), *toy(), "adam", lr=1e-3)
    said = capsys.readouterr().err
    assert all(word in said for word in ("7 points × 2 outputs", "linearized", "adaptive_flow"))
    which_minimizer(plain(), *toy(), verbose=False)
    assert not capsys.readouterr().err
    assert not logging.getLogger("minima").handlers


class Raises(nn.Module):
    def forward(self, f):
        raise RuntimeError("no way")


class Root(nn.Module):
    def forward(self, f):
        return f.sqrt()


X, Y, X_TEST = toy()
CLASSES = np.arange(7) % 2
CALLS = {
    "no module": ((lambda x: x, X, Y, X_TEST), {}, r"net is a function, and no torch\.nn\.Module"),
    "whole numbers": (
        (plain(), X.astype(np.uint8), Y, X_TEST),
        {},
        r"x holds whole numbers \(uint8\): .* such as x / 255",
    ),
    "whole numbers to be asked": ((plain(), X, Y, X_TEST.astype(int)), {}, r"x_test holds whole numbers"),
    "words": ((plain(), X, np.array(["a"] * 7), X_TEST), {}, r"y holds <U1, not numbers"),
    "not a number": ((plain(), X * np.nan, Y, X_TEST), {}, r"x holds numbers that are not finite"),
    "infinite targets": ((plain(), X, Y * np.inf, X_TEST), {}, r"y holds numbers that are not finite"),
    "ragged": ((plain(), [[1.0], [1.0, 2.0]], Y, X_TEST), {}, r"x is no array"),
    "numbers for rows": ((plain(), X[:, 0], Y, X_TEST), {}, r"x has shape \[7\]: it must be \[rows, …\]"),
    "no rows": ((plain(), X, Y, X_TEST[:0]), {}, r"x_test has shape \[0, 4\]"),
    "other rows to be asked": ((plain(), X, Y, X_TEST[:, :3]), {}, r"rows of x have shape \[4\], .*\[3\]"),
    "a target too few": ((plain(), X, Y[:6], X_TEST), {}, r"x has 7 rows, and y 6"),
    "targets of images": ((plain(), X, Y[:, :, None], X_TEST), {}, r"y has shape \[7, 2, 1\]"),
    "rows of another size": (
        (plain(), X[:, :3], Y, X_TEST[:, :3]),
        {},
        r"net: Plain fails on rows of shape \[3\]",
    ),
    "outputs of another size": (
        (plain(), X, np.ones((7, 5)), X_TEST),
        {},
        r"net: Plain returns \[7, 2\] on 7 rows, and the labels need \[7, 5\]",
    ),
    "outputs that are not finite": (
        (Around(Root()).double(), X, Y, X_TEST),
        {},
        r"net: Around returns numbers that are not finite at its start",
    ),
    "nothing to train": (
        (plain().requires_grad_(False), X, Y, X_TEST),
        {},
        r"net: Plain has requires_grad: False for every parameter",
    ),
    "no parameters": ((nn.Flatten(), X, X, X_TEST), {}, r"net: Flatten has no parameters"),
    "lazy layers": (
        (nn.LazyLinear(2), X, Y, X_TEST),
        {},
        r"net: LazyLinear has lazy layers, whose sizes are not known",
    ),
    "it fails": ((Around(Raises()), X, Y, X_TEST), {}, r"net: Around fails on rows .*RuntimeError: no way"),
    "too many classes": (
        (plain(), X, np.arange(7), X_TEST),
        {},
        r"y holds classes 0 to 6, and the network has 2 outputs: classes are 0 to 1",
    ),
    "no classes": (
        (plain(), X, Y, X_TEST),
        {"loss": "cross_entropy", "lr": 0.1, "stop": {"loss": 0.1}},
        r"with loss cross_entropy it holds classes, .* or a distribution",
    ),
    "no signs": (
        (plain(outputs=1), X, CLASSES, X_TEST),
        {"loss": "logistic", "lr": 0.1, "stop": {"loss": 0.1}},
        r"with loss logistic it holds −1 and \+1; of 0 and 1 that is 2 \* y - 1",
    ),
    "a loss without an end": (
        (plain(), X, CLASSES, X_TEST),
        {"loss": "cross_entropy", "lr": 0.1},
        r'stop: loss cross_entropy has no minimizer at finite distance.*stop=\{"loss": 0\.1\}',
    ),
    "another loss": ((plain(), X, Y, X_TEST), {"loss": "hinge"}, r"loss: 'hinge' is .*known: cross_entropy"),
    "another optimizer": (
        (plain(), X, Y, X_TEST),
        {"optimizer": "adma"},
        r"optimizer\.name: 'adma' is .*did you mean 'adam'\?",
    ),
    "another option": (
        (plain(), X, Y, X_TEST),
        {"optimizer": "heavy_ball", "momentun": 0.5},
        r"optimizer\.momentun: .*did you mean 'momentum'\?",
    ),
    "a negative rate": ((plain(), X, Y, X_TEST), {"lr": -1}, r"optimizer\.lr: .*greater than 0, not -1"),
    "a batch too large": (
        (plain(), X, Y, X_TEST),
        {"optimizer": "sgd", "batch_size": 8},
        r"optimizer\.batch_size 8 is more than the 7 training rows",
    ),
    "another section": (
        (plain(), X, Y, X_TEST),
        {"linearized_run": {"steps": 3}},
        r"linearized_run\.steps: 'steps' is not an option .*max_steps",
    ),
    "another predictor": (
        (plain(), X, Y, X_TEST),
        {"which": "linearised"},
        r"which: 'linearised' is no predictor \(did you mean 'linearized'\?\)",
    ),
    "a predictor that does not apply": (
        (plain(), X, Y, X_TEST),
        {"which": ["linearized", "max_margin_l2"]},
        r"predict: max_margin_l2 is where .* go on to, not loss: mse",
    ),
    "no predictor": ((plain(), X, Y, X_TEST), {"which": []}, r"which: names no predictor"),
    "a kernel that is too large": (
        (plain(), X, Y, X_TEST),
        {"memory_gb": 2e-6},
        r"kernel of 7 points × 2 outputs takes 4\.7e-06 GB, and memory_gb is 2e-06: 4 points would fit",
    ),
    "no such device": ((plain(), X, Y, X_TEST), {"device": "gpu"}, r"device: .*gpu"),
    "a device without float64": (
        (plain(), X, Y, X_TEST),
        {"device": "mps"},
        r"device mps is none of cpu and",
    ),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_cannot_be_asked_is_told(name):
    given, how, message = CALLS[name]
    with np.errstate(all="ignore"), pytest.raises(ValueError, match=re.compile(message, re.DOTALL)):
        which_minimizer(*given, **how, verbose=False)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told():
    with pytest.raises(ValueError, match=r"device is cuda, and PyTorch sees no GPU"):
        which_minimizer(plain(), X, Y, X_TEST, device="cuda", verbose=False)


@pytest.mark.parametrize(
    ("trained", "message"),
    [
        (np.full((5, 2), np.nan), r"a network that diverged has no minimizer"),
        (np.zeros((5, 3)), r"predictions have shape \[5, 3\], not \[5, 2\]"),
        (Plain(features=3), r"the trained network fails on rows of shape \[4\]"),
        (Plain(outputs=3), r"predictions have shape \[5, 3\], not \[5, 2\]"),
    ],
)
def test_a_trained_network_that_cannot_be_judged_is_told(trained, message):
    answer = which_minimizer(plain(), X, Y, X_TEST, verbose=False)
    with pytest.raises(ValueError, match=message):
        answer.nearest(trained)


def test_a_prediction_that_did_not_come_to_its_end_is_told_and_is_nobodys_nearest(caplog):
    with caplog.at_level(logging.WARNING, "minima"):
        answer = which_minimizer(
            plain(),
            *toy(),
            "heavy_ball",
            lr=1e-3,
            which=["linearized_trained", "linearized"],
            linearized_run={"max_steps": 3},
            verbose=False,
        )
    assert "linearized_trained did not come to its end" in caplog.text
    nearest = answer.nearest(answer.predicted.test.sel(predictor="linearized").values)
    assert nearest.name == "linearized"
    assert nearest.next == ""
    only = replace(answer, predicted=answer.predicted.sel(predictor=["linearized_trained"]))
    assert only.nearest(np.ones((5, 2))).name == "nothing comparable"
