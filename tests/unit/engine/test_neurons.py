"""Probes of the neurons of one hidden layer, against plain loops over neurons and points."""

import math

import numpy as np
import pytest
import torch
from tests.unit.helpers import cell, prepared, trained, weights

from minima.data.files import load_split
from minima.engine.ensemble import Ensemble
from minima.engine.losses import exponential
from minima.engine.networks.mlp import MLP
from minima.engine.probes import (
    largest_output,
    neuron_cosines,
    output_signs,
    own_cone,
    stable_rank,
    wrong_changes,
)
from minima.engine.state import State
from minima.plan.mistakes import ConfigError
from minima.training.start import Arrays

CONE = {"source": "cone", "cosine": 0.1, "train_size": 10, "test_size": 2}
NEURONS = ["own_cone", "wrong_changes", "neuron_cosines", "output_signs"]
LABELS = [1, -1, 1, 1, -1]
POINTS, FEATURES, WIDTH = 5, 6, 12


def state(now, start, x, y):
    """The state of networks, each (W [m, d], v [m]), at points x [n, d] with labels y [n]."""

    def stacked(many):
        w, v = (torch.tensor(np.stack(layer)) for layer in zip(*many, strict=True))
        return [w[:, None], v[:, None, None]]

    width, features = now[0][0].shape
    ensemble = Ensemble(MLP((features, width, 1), "relu", "none"))
    x = torch.tensor(x).expand(len(now), -1, -1)
    y = torch.tensor(y, dtype=x.dtype).view(1, -1, 1).expand(len(now), -1, -1)
    here = stacked(now)
    return State(ensemble, exponential.loss, here, stacked(start), x, y, ensemble.forward(here, x)[0])


@pytest.fixture(scope="module")
def world():
    """Two networks away from their start, of each of which neurons 1 to 3 are in their cone now and neurons 4
    and 5 are dead; neuron 5 was so at the start."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(POINTS, FEATURES))
    seeing = np.linalg.pinv(x)  # [d, n]: its columns' sums have any products with the points
    start, now = (
        [(rng.normal(size=(WIDTH, FEATURES)), rng.normal(size=WIDTH)) for _ in range(2)] for _ in range(2)
    )
    for (then, _), (w, v) in zip(start, now, strict=True):
        for j in (1, 2, 3):
            w[j] = seeing @ (np.sign(v[j]) * rng.uniform(0.5, 2, POINTS) * LABELS)
        w[4] = seeing @ -rng.uniform(0.5, 2, POINTS)
        w[5] = then[5] = seeing @ -rng.uniform(0.5, 2, POINTS)
    return now, start, x


def dot(a, b):
    return math.fsum(float(p) * float(q) for p, q in zip(a, b, strict=True))


def sees(w, x):
    return [dot(w, point) > 0 for point in x]


def own(v):
    return [label * v > 0 for label in LABELS]


def measured(probe, world):
    now, start, x = world
    return probe.measure(state(now, start, x, LABELS)).tolist()


def test_shares_in_the_own_cone(world):
    now, start, x = world
    for found, (w, v), (w0, v0) in zip(measured(own_cone, world), now, start, strict=True):
        inside = [sees(w[j], x) == own(v[j]) for j in range(WIDTH)]
        saw = [any(s and o for s, o in zip(sees(w0[j], x), own(v0[j]), strict=True)) for j in range(WIDTH)]
        alive = [any(sees(w[j], x)) for j in range(WIDTH)]
        of_those = [
            sum(i and s for i, s in zip(inside, among, strict=True)) / sum(among) for among in (saw, alive)
        ]
        assert found == pytest.approx([*of_those, 1 - sum(alive) / WIDTH])
        assert 0 < sum(saw) < WIDTH
        assert all(0 < one < 1 for one in found)


def test_fractions_of_changes_in_the_wrong_direction(world):
    now, start, x = world
    for found, (w, _), (w0, v0) in zip(measured(wrong_changes, world), now, start, strict=True):
        wrong = changed = 0
        for j in range(WIDTH):
            for before, after, mine in zip(sees(w0[j], x), sees(w[j], x), own(v0[j]), strict=True):
                lost_own, gained_other = mine and before and not after, not mine and after and not before
                wrong += lost_own or gained_other
                changed += before != after
        assert found == pytest.approx([wrong / (WIDTH * POINTS), changed / (WIDTH * POINTS)])
        assert 0 < wrong < changed


def test_turning_toward_the_own_class_is_not_wrong():
    """All own points gained and all others lost, by neurons of either sign; the way back is wrong."""
    x = np.eye(4)
    y = [1, 1, -1, -1]
    v = np.array([1.0, -1.0])
    then, now = (np.array([[s, s, -s, -s], [-s, -s, s, s]], float) for s in (-1, 1))
    there = state([(now, v)], [(then, v)], x, y)
    back = state([(then, v)], [(now, v)], x, y)
    assert wrong_changes.measure(there).tolist() == [[0, 1]]
    assert wrong_changes.measure(back).tolist() == [[1, 1]]
    assert own_cone.measure(there).isnan().tolist() == [[True, False, False]]  # none saw its class
    assert own_cone.measure(there).tolist()[0][1:] == [1, 0]


def test_cosines_to_the_sum_of_the_own_class(world):
    now, _, x = world
    for found, (w, v) in zip(measured(neuron_cosines, world), now, strict=True):
        cosines, energies = [], []
        for j in range(WIDTH):
            if not any(sees(w[j], x)):
                continue
            total = sum(point for point, label in zip(x, LABELS, strict=True) if label * v[j] > 0)
            length = math.sqrt(dot(w[j], w[j]))
            cosines.append(dot(w[j], total) / (length * math.sqrt(dot(total, total))))
            energies.append(length**2)
        weighted = dot(energies, cosines) / sum(energies)
        assert len(cosines) == WIDTH - 2
        assert found == pytest.approx([np.median(cosines), min(cosines), weighted], rel=1e-12)


def test_cosines_where_there_is_no_class_or_no_live_neuron():
    """A neuron without points of its class is left out; where none is left there is no cosine."""
    x, w = np.eye(2), np.array([[1.0, 0], [3, 4]])
    one_class = state([(w, np.array([1.0, -1]))], [(w, np.array([1.0, -1]))], x, [1, 1])
    assert neuron_cosines.measure(one_class)[0].tolist() == pytest.approx([0.5**0.5] * 3)
    dead = state([(-w, np.array([1.0, -1]))], [(w, np.array([1.0, -1]))], x, [1, 1])
    assert neuron_cosines.measure(dead).isnan().all()


def test_output_signs_and_what_the_start_predicts(world):
    now, start, x = world
    for found, (_, v), (w0, v0) in zip(measured(output_signs, world), now, start, strict=True):
        predicted = []
        for j in range(WIDTH):
            pairs = zip(x, LABELS, sees(w0[j], x), strict=True)
            toward = sum((label * point for point, label, seen in pairs if seen), np.zeros(FEATURES))
            length = math.sqrt(dot(toward, toward))
            predicted.append(v0[j] + (dot(w0[j], toward) / length if length else 0))
        changed = np.mean(np.sign(v) != np.sign(v0))
        right = np.mean(np.sign(v) == np.sign(predicted))
        assert found == pytest.approx([changed, right])
        assert np.sign(predicted) != pytest.approx(np.sign(v0))


@pytest.mark.parametrize("shape", [(5, 7, 6, 2), (8, 3, 1), (3, 9, 4)])
def test_stable_ranks_are_those_of_singular_values(shape):
    """NumPy's, of wide and tall layers; the last layer of one output has one direction."""
    model = MLP(shape, "tanh", "ntk")
    now = weights(model, 2, scale=1e-9)
    x, y = torch.zeros(2, 4, shape[0]).double(), torch.zeros(2, 4, shape[-1]).double()
    found = stable_rank.measure(State(Ensemble(model), exponential.loss, now, now, x, y, y))
    for row in range(2):
        values = [np.linalg.svd(weight[row, 0].numpy())[1] for weight in now]
        expected = [(s**2).sum() / s[0] ** 2 for s in values]
        np.testing.assert_allclose(found[row], expected, rtol=1e-12)
    assert shape[-1] > 1 or found[:, -1].tolist() == pytest.approx([1, 1])


def test_the_largest_output_counts_both_signs(world):
    now, _, x = world
    for found, (w, v) in zip(measured(largest_output, world), now, strict=True):
        outputs = [sum(b * max(dot(a, point), 0) for a, b in zip(w, v, strict=True)) for point in x]
        assert found == pytest.approx(max(abs(f) for f in outputs))
        assert abs(min(outputs)) != pytest.approx(max(outputs))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """What cells record of small networks of many neurons on data in a cone, by how they start."""
    path = prepared(tmp_path_factory.mktemp("cone") / "cone.nc", recipe=CONE)
    data = load_split(path, 0)
    split = Arrays(*(data[name].values for name in ("x_train", "y_train", "x_test", "y_test")))
    many = {
        scheme: cell(
            recipe=CONE,
            network={"width": 200, "depth": 2, "parametrization": "none"},
            init={"scheme": scheme, "scale": 1e-6},
            loss="exponential",
            optimizer={"name": "gd", "lr": 0.2},
            stop={"residual": None, "max_steps": 450},
            record={"probes": [*NEURONS, "largest_output", "stable_rank"], "steps": [0, 150, 450]},
            predict=[],
        )
        for scheme in ("gaussian", "neuron_balanced")
    }
    return {scheme: trained([fields], split)[0] for scheme, fields in many.items()}


def test_small_networks_turn_into_the_cone_of_their_class(small):
    """As 2307.12851 proves of balanced ones: all that saw their class, no wrong change, no change of sign."""
    balanced = small["neuron_balanced"]
    assert balanced["largest_output_path"][1] < 0.25 < balanced["largest_output_path"][-1]
    assert balanced["own_cone_path"][0, 0] < 0.1
    np.testing.assert_array_equal(balanced["own_cone_path"][1:, 0], 1)
    np.testing.assert_array_equal(balanced["wrong_changes_path"][:, 0], 0)
    assert balanced["wrong_changes_path"][-1, 1] > 0.1
    np.testing.assert_array_equal(balanced["output_signs_path"][:, 0], 0)
    assert balanced["neuron_cosines_path"][-1, 1] > 0.95
    assert balanced["stable_rank_path"][-1, 0] < 2 < balanced["stable_rank_path"][0, 0]


def test_the_sign_of_an_output_weight_is_that_of_v_and_g_at_the_start(small):
    """Of small gaussian networks: a quarter of the output weights change sign, and which is predicted."""
    changed, predicted = small["gaussian"]["output_signs_path"].T
    assert changed[0] == 0
    assert predicted[0] < 0.85
    assert 0.15 < changed[-1] < 0.35
    assert predicted[-1] > 0.95


@pytest.mark.parametrize("probe", NEURONS)
@pytest.mark.parametrize(
    ("sections", "words"),
    [
        ({"network": {"depth": 3}}, "is for one hidden layer of ReLU"),
        ({"network": {"depth": 2, "activation": "erf"}}, "is for one hidden layer of ReLU"),
        ({"network": {"kind": "dense", "hidden": [4]}}, "needs network.kind: mlp, not dense"),
        ({"recipe": CONE | {"labels": "onehot"}}, "needs data with labels: sign, not onehot"),
        ({"init": {"scheme": "antisymmetric"}}, "init: antisymmetric trains another"),
    ],
)
def test_networks_without_such_neurons_are_refused(probe, sections, words):
    known = {"recipe": CONE, "network": {"depth": 2}, "predict": []}
    with pytest.raises(ConfigError, match=f"{probe}.*{words}"):
        cell(record={"probes": [probe]}, **known | sections)
