"""Probes against autograd, and impossible combinations refused while the config is read."""

from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, grid, naive_ensemble, trained, weights

from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.networks.mlp import MLP
from minima.engine.state import State
from minima.forms import probe_module
from minima.plan import parts
from minima.plan.mistakes import ConfigError
from minima.theory.empirical import tangent_kernel

READOUT = (0.5**0.5, -(0.5**0.5))


def state(activation="tanh", readout=(1.0,), frozen=(), outputs=2):
    """Two networks away from their start."""
    model = MLP((5, 7, 6, outputs), activation, "ntk", frozen)
    ensemble = Ensemble(model, readout)
    start, now = weights(model, 2, len(readout)), weights(model, 2, len(readout), seed=1)
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(2, 10, 5, generator=generator, dtype=torch.float64)
    y = torch.randn(2, 10, outputs, generator=generator, dtype=torch.float64)
    return State(ensemble, mse.loss, now, start, x, y, ensemble.forward(now, x)[0])


def measured(name, at):
    return import_module(probe_module(name)).measure(at)


def test_every_probe_of_the_config_has_a_module():
    """By its name, of the engine or of theory."""
    for name in parts.names("probes"):
        assert callable(import_module(probe_module(name)).measure)


@pytest.mark.parametrize("readout", [(1.0,), READOUT])
@pytest.mark.parametrize("frozen", [(), (0,)])
def test_sharpness_is_the_hessians_largest_eigenvalue(readout, frozen):
    """Against the Hessian by autograd, over the trained layers."""
    at = state(readout=readout, frozen=frozen)
    for row, found in enumerate(measured("sharpness", at).tolist()):
        shapes = [at.weights[layer][row].shape for layer in at.ensemble.trained]

        def loss(flat, row=row, shapes=shapes):
            own = [weight[row] for weight in at.weights]
            parts = flat.split([shape.numel() for shape in shapes])
            for layer, part, shape in zip(at.ensemble.trained, parts, shapes, strict=True):
                own[layer] = part.reshape(shape)
            return (naive_ensemble(at.ensemble, own, at.x[row]) - at.y[row]).square().sum() / 20

        flat = torch.cat([at.weights[layer][row].flatten() for layer in at.ensemble.trained])
        eigenvalues = torch.linalg.eigvalsh(torch.autograd.functional.hessian(loss, flat))
        assert found == pytest.approx(float(eigenvalues[-1]), rel=1e-2)


@pytest.mark.parametrize("frozen", [(), (0, 2)])
def test_kernel_extremes_are_those_of_the_kernel(frozen):
    """Least and largest eigenvalue, of the trained layers alone."""
    at = state(frozen=frozen)
    kernel = tangent_kernel(at.ensemble, at.weights, at.x, 10)
    every = np.linalg.eigvalsh(kernel.numpy())
    np.testing.assert_allclose(measured("kernel_extremes", at).numpy(), every[:, [0, -1]], atol=1e-10)


def test_distances_norms_flips_and_accuracy():
    """Each against its definition."""
    at = state("relu", READOUT)
    for row in range(2):
        for layer in range(3):
            weight, before = at.weights[layer][row], at.start[layer][row]
            assert measured("norm", at)[row, layer] == pytest.approx(float(weight.norm()))
            assert measured("distance", at)[row, layer] == pytest.approx(float((weight - before).norm()))
        right = at.f[row].argmax(1) == at.y[row].argmax(1)
        assert measured("accuracy", at)[row] == pytest.approx(float(right.double().mean()))
    first = [torch.relu(at.x.unsqueeze(1) @ w[0].mT) > 0 for w in (at.weights, at.start)]
    assert measured("flips", at)[0, 0] == pytest.approx(float((first[0] != first[1])[0].double().mean()))


def test_class_sums_are_of_each_class_alone():
    """Two points of the class +1 and one of −1, by hand; without the class −1 there is no angle."""
    at = state("relu", outputs=1)
    x = torch.tensor([[3.0, 0.0], [0.0, 4.0], [-2.0, 0.0]]).double().expand(2, 3, 2)
    y = torch.tensor([1.0, 1.0, -1.0]).double()[:, None].expand(2, 3, 1)
    found = measured("class_sums", replace(at, x=x, y=y))
    np.testing.assert_allclose(found, [[5, 2, -0.6]] * 2)
    alone = measured("class_sums", replace(at, x=x, y=y.abs()))
    np.testing.assert_allclose(alone[:, 1:], [[0, np.nan]] * 2)


@pytest.mark.parametrize(
    ("sections", "words"),
    [
        (
            {"recipe": {"source": "digits", "labels": "onehot"}, "record": {"probes": ["class_sums"]}},
            "class_sums is for one output, and the data have 10",
        ),
        ({"optimizer": {"batch_size": 9}}, "batch_size 9 is more than the 8 training rows"),
        ({"loss": "logistic"}, "needs data with labels: sign"),
        ({"loss": "cross_entropy"}, "needs data with labels: onehot"),
        ({"loss": "logistic", "init": {"scheme": "centred"}}, "centred needs loss: mse"),
        ({"loss": "logistic", "predict": ["decayed"]}, "decayed is about loss: mse"),
        ({"loss": "logistic"}, "give an absolute rate"),
        (
            {"axes": {"data.train_size": [4, 8]}, "optimizer": {"batch_size": 6}},
            "more than the 4 training rows",
        ),
    ],
)
def test_impossible_combinations_are_refused(sections, words):
    """Sections that are fine alone: said while the config is read, before any job starts."""
    with pytest.raises(ConfigError, match=words.replace("[", r"\[").replace("]", r"\]")):
        grid(**sections)


def test_looking_changes_nothing():
    """Probes that remember the start leave weight decay pulling toward 0."""
    decayed = {"name": "gd", "lr": 0.1, "weight_decay": {"strength": 0.5}}
    sections = {"network": {"width": 8}, "optimizer": decayed, "stop": {"max_steps": 20}}
    plain, probed = (
        trained([cell(record={"probes": probes}, **sections)], arrays())[0] for probes in ([], ["distance"])
    )
    np.testing.assert_array_equal(plain["test"], probed["test"])
    assert probed["norm"].sum() < probed["start_norm"].sum()
