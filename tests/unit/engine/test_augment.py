"""Augmentation, stop rules, schedules and probes of the two-stage study."""

import numpy as np
import pytest
import torch
from tests.unit.engine.test_modules import DIGITS, SGD, SHAPE, SMALL, split
from tests.unit.helpers import arrays, cell, trained

from minima.engine.augment import Augment
from minima.engine.ensemble import Ensemble
from minima.engine.networks.mlp import MLP
from minima.engine.schedules import milestones
from minima.plan.mistakes import ConfigError

FIELDS = {"recipe": DIGITS, "network": SMALL, "loss": "cross_entropy", "optimizer": SGD}


# Augmentation


def windows(image, shift):
    """All shifted versions of an image [c, h, w], by position."""
    channels, height, width = image.shape
    big = np.zeros((channels, height + 2 * shift, width + 2 * shift))
    big[:, shift : shift + height, shift : shift + width] = image
    sides = range(2 * shift + 1)
    return {(dy, dx): big[:, dy : dy + height, dx : dx + width] for dy in sides for dx in sides}


@pytest.mark.parametrize("flip", [False, True])
def test_images_are_shifted_with_zeros_behind_and_mirrored(flip):
    """Every image is one of its shifts, mirrored or not; all shifts come about equally often."""
    shape, count = (2, 3, 4), 4000
    image = np.random.default_rng(0).normal(size=shape)
    x = torch.tensor(np.broadcast_to(image.ravel(), (1, count, image.size)).copy())
    moved = Augment([3], shape, 1, flip)(x).reshape(count, *shape).numpy()
    found = []
    for mirrored in (False, True):
        for window in windows(image[..., ::-1] if mirrored else image, 1).values():
            found.append((moved == window).all((1, 2, 3)).sum())
    assert sum(found) == count
    wanted = np.array([count / 18] * 18 if flip else [count / 9] * 9 + [0] * 9)
    np.testing.assert_allclose(found, wanted, atol=6 * np.sqrt(count / 9))


def test_each_network_draws_its_own_and_none_depends_on_its_neighbours():
    x = torch.randn(3, 5, 16, dtype=torch.float64)
    together = Augment([0, 1, 2], (1, 4, 4), 2, True)
    first, alone = together(x), [Augment([seed], (1, 4, 4), 2, True) for seed in range(3)]
    for row in range(3):
        assert torch.equal(first[row], alone[row](x[row : row + 1])[0])
    together.keep([2])
    assert torch.equal(together(x[2:]), alone[2](x[2:]))


def test_training_sees_augmented_images_and_evaluation_does_not():
    """f₀ and the recorded losses are of the images as they are."""
    plain, moved = (
        trained([cell(augment={"shift": shift}, stop={"max_steps": 30}, **FIELDS)], split())[0]
        for shift in (0, 1)
    )
    np.testing.assert_array_equal(plain["start_train"], moved["start_train"])
    assert plain["loss"][0] == moved["loss"][0]
    assert abs(plain["test"] - moved["test"]).max() > 1e-3


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"optimizer": {"name": "gd", "lr": 0.1}}, "augment needs mini-batches"),
        (
            {"network": {"kind": "dense"}, "recipe": {"source": "wine", "train_size": 8, "labels": "onehot"}},
            "augment needs images, and the data are rows of 13 numbers",
        ),
    ],
)
def test_augmentation_where_it_cannot_be_is_refused(fields, says):
    with pytest.raises(ConfigError, match=says):
        cell(augment={"shift": 1}, **FIELDS | fields)


# Stop rules and schedules


def test_a_goal_for_the_accuracy_ends_training_at_its_first_epoch():
    """Looked at after every epoch: the first that has it is the last."""
    record = {"steps": list(range(0, 600, 3)), "probes": ["accuracy"]}  # an epoch: 8 rows in batches of 3
    long = cell(stop={"max_steps": 600, "residual": None}, record=record, **FIELDS)
    goal = cell(stop={"max_steps": 600, "residual": None, "accuracy": 0.9}, record=record, **FIELDS)
    never, first = trained([long, goal], split())
    assert (never["status"], never["steps"]) == ("stopped", 600)
    assert first["status"] == "converged"
    assert first["steps"] == 3 * np.argmax(never["accuracy_path"] >= 0.9) > 0
    np.testing.assert_array_equal(first["train"].argmax(1) == split().y_train.argmax(1), True)


def test_no_residual_is_no_goal():
    """Fixed epochs: a network that fits goes on."""
    fields = {"network": {"width": 16}, "optimizer": {"name": "gd", "lr": 0.3}}
    (values,) = trained([cell(stop={"residual": None, "max_steps": 4000}, **fields)], arrays())
    assert (values["status"], values["steps"]) == ("stopped", 4000)
    assert values["residual"] < 1e-3


def test_the_rate_falls_at_fractions_of_the_training():
    numbers = {"schedule.factor": torch.tensor(0.1)}
    schedule = milestones.schedule({"at": [0.5, 0.8]}, 100)
    factors = [float(schedule(numbers, step)) for step in (0, 49, 50, 79, 80, 99)]
    assert factors == pytest.approx([1, 1, 0.1, 0.1, 0.01, 0.01])
    sections = {"network": {"width": 8}, "stop": {"max_steps": 10, "residual": None}}
    options = {"name": "gd", "lr": 0.2, "schedule": {"kind": "milestones", "at": [0.5], "factor": 1e-9}}
    falls, half = (
        trained([cell(optimizer=o, **sections | {"stop": {"max_steps": n, "residual": None}})], arrays())[0]
        for o, n in ((options, 10), ({"name": "gd", "lr": 0.2}, 5))
    )
    np.testing.assert_allclose(falls["test"], half["test"], atol=1e-7)


# Probes


def test_the_test_accuracy_is_recorded_beside_the_training_accuracy():
    one = cell(record={"probes": ["test_accuracy"], "steps": [0, 30]}, stop={"max_steps": 30}, **FIELDS)
    (values,) = trained([one], split(tests=50))
    for f, found in zip(("start_test", "test"), values["test_accuracy_path"], strict=True):
        right = values[f].argmax(1) == split(tests=50).y_test.argmax(1)
        assert found == pytest.approx(right.mean(), rel=1e-6)


@pytest.mark.parametrize("p", [1, 2])
def test_path_norms_of_fully_connected_nets_are_sums_over_paths(p):
    """Counted path by path."""
    model = MLP((2, 3, 2), "relu", "ntk")
    a, b = torch.randn(3, 2, dtype=torch.float64), torch.randn(2, 3, dtype=torch.float64)
    paths = [
        abs(float(a[h, i] * b[o, h]) / (2 * 3) ** 0.5) ** p
        for i in range(2)
        for h in range(3)
        for o in range(2)
    ]
    found = Ensemble(model).path_norms([a[None, None], b[None, None]])
    assert float(found[0, p - 1]) == pytest.approx(sum(paths) ** (1 / p))


def module_path_sum(module, ones, p):
    """The net with |w|^p in place of its weights, as anyone would build it."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(parameter.abs() ** p)
        return float(module(ones).sum())


@pytest.mark.parametrize("p", [1, 2])
def test_path_norms_of_modules_are_the_absolute_nets_at_ones(p):
    """Also behind batch normalization, which is folded into the convolution before it."""
    from tests.unit.engine.test_modules import built, drawn, put, users_module

    plain = built(SMALL)
    theta = drawn(plain, 2)
    ones = torch.ones(1, 64, dtype=torch.float64)
    found = Ensemble(plain).path_norms(theta)
    for row in range(2):
        module = put(users_module(SMALL), [w[row] for w in theta])
        assert float(found[row, p - 1]) == pytest.approx(module_path_sum(module, ones, p) ** (1 / p))

    normal = SMALL | {"batch_norm": True}
    model = built(normal)
    theta = drawn(model)
    theta[model.weight_shapes.index((3, 9)) + 1].zero_()  # the biases before the normalizations
    module = put(users_module(normal), [w[0] for w in theta])
    folded = users_module(SMALL)
    for at, (conv, bn) in {1: (1, 2), 3: (4, 5), 6: (8, 9)}.items():
        slope = module[bn].weight / (module[bn].running_var + module[bn].eps).sqrt()
        with torch.no_grad():
            module[conv].bias.zero_()
            folded[at].weight.copy_(module[conv].weight * slope.view(-1, 1, 1, 1))
            folded[at].bias.copy_(module[bn].bias - slope * module[bn].running_mean)
    with torch.no_grad():
        for at, other in ((10, 13), (12, 15)):
            folded[at].load_state_dict(module[other].state_dict())
    weights = [
        torch.as_tensor(t.detach()).reshape(1, 1, *shape)
        for t, shape in zip(
            [*module.parameters(), *(b for n, b in module.named_buffers() if "num" not in n)],
            model.weight_shapes,
            strict=True,
        )
    ]
    found = Ensemble(model).path_norms(weights)
    assert float(found[0, p - 1]) == pytest.approx(module_path_sum(folded, ones, p) ** (1 / p))


def test_path_norms_are_stored_along_the_way_and_at_the_end():
    one = cell(record={"probes": ["path_norm"], "steps": [0, 12]}, stop={"max_steps": 12}, **FIELDS)
    (values,) = trained([one], split())
    np.testing.assert_allclose(values["path_norm_path"][-1], values["path_norm"], rtol=1e-6)
    assert (values["path_norm_path"][0] != values["path_norm"]).all()


def test_a_network_is_evaluated_on_the_plane():
    """Rows go up the second input, columns along the first."""
    one = cell(
        recipe={"source": "blobs", "train_size": 8, "test_size": 6},
        network={"kind": "dense", "hidden": [5]},
        loss="logistic",
        optimizer={"name": "gd", "lr": 0.1},
        stop={"max_steps": 5},
        record={"plane": {"side": 4, "low": -1, "high": 2}},
        dtype="float64",
    )
    grid = np.linspace(-1, 2, 4)
    points = np.array([[grid[1], grid[3]], [grid[2], grid[0]]])
    data = arrays(points=8, features=2, tests=2)
    data = type(data)(data.x_train, np.sign(data.y_train), points, np.ones((2, 1)))
    (values,) = trained([one], data)
    assert values["plane"].shape == (4, 4, 1)
    np.testing.assert_allclose([values["plane"][3, 1], values["plane"][0, 2]], values["test"], rtol=1e-12)


def test_the_plane_is_for_rows_of_two_numbers():
    with pytest.raises(ConfigError, match=r"record\.plane needs rows of 2 numbers, not 64"):
        cell(record={"plane": {}}, **FIELDS)
    assert SHAPE == (1, 8, 8)
