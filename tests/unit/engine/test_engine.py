"""The stacked nets with hand-derived gradients are the nets that autograd knows."""

from itertools import product
from types import SimpleNamespace

import pytest
import torch
from tests.unit.helpers import PHI, naive, naive_ensemble, weights

from minima.engine import device
from minima.engine.ensemble import Ensemble
from minima.engine.models.mlp import build
from minima.engine.networks.mlp import MLP

NETS = list(product((2, 3, 4), PHI, ("ntk", "standard"), (1, 3)))
ANTISYMMETRIC = (0.5**0.5, -(0.5**0.5))


def close(actual, expected, relative=1e-10):
    """Every entry, to a relative accuracy measured on the largest."""
    torch.testing.assert_close(actual, expected, rtol=relative, atol=relative * float(expected.abs().max()))


def net(depth, activation, parametrization, outputs):
    """Hidden layers of different widths, so that no transposed shape fits by chance."""
    return MLP((5, *(6, 4, 7)[: depth - 1], outputs), activation, parametrization)


def stack(networks, points=9, outputs=1, seed=0):
    """Points of each network's own, and a random ∂L/∂f."""
    generator = torch.Generator().manual_seed(seed)
    shape = {"generator": generator, "dtype": torch.float64}
    return torch.randn(networks, points, 5, **shape), torch.randn(networks, points, outputs, **shape)


@pytest.mark.parametrize("readout", [(1.0,), ANTISYMMETRIC], ids=["one copy", "antisymmetric"])
@pytest.mark.parametrize(("depth", "activation", "parametrization", "outputs"), NETS)
def test_forward_and_gradients_are_autograds(depth, activation, parametrization, outputs, readout):
    """Each network of a stack has its own function, and the gradient that autograd finds for it."""
    ensemble = Ensemble(net(depth, activation, parametrization, outputs), readout)
    theta = weights(ensemble.model, networks=3, copies=len(readout), seed=depth)
    x, delta = stack(3, outputs=outputs)
    f, tape = ensemble.forward(theta, x)
    gradients = [torch.empty_like(weight) for weight in theta]
    ensemble.gradients(theta, tape, delta, gradients)
    for row in range(3):
        alone = [weight[row].clone().requires_grad_() for weight in theta]
        expected = naive_ensemble(ensemble, alone, x[row])
        close(f[row], expected.detach())
        for found, wanted in zip(gradients, torch.autograd.grad(expected, alone, delta[row]), strict=True):
            close(found[row], wanted)


def test_forward_and_gradients_leave_their_inputs():
    """Weights, points and ∂L/∂f are used again: only the gradients are written."""
    for activation in PHI:
        ensemble = Ensemble(net(3, activation, "ntk", 2), ANTISYMMETRIC)
        theta = weights(ensemble.model, 2, 2)
        x, delta = stack(2, outputs=2)
        before = [tensor.clone() for tensor in (*theta, x, delta)]
        _, tape = ensemble.forward(theta, x)
        ensemble.gradients(theta, tape, delta, [torch.empty_like(weight) for weight in theta])
        assert all(torch.equal(*pair) for pair in zip(before, (*theta, x, delta), strict=True))


@pytest.mark.parametrize("activation", PHI)
def test_the_gradient_at_a_kink_is_autograds(activation):
    """Where every pre-activation is 0 (a blank input), φ'(0) is PyTorch's."""
    model = net(3, activation, "ntk", 1)
    theta = [weight[0] for weight in weights(model, 1)]
    x, delta = torch.zeros(1, 4, 5, dtype=torch.float64), torch.ones(1, 4, 1, dtype=torch.float64)
    gradients = [torch.zeros_like(weight) for weight in theta]
    model.gradients(theta, model.forward(theta, x)[1], delta, gradients)
    alone = [weight[0].clone().requires_grad_() for weight in theta]
    expected = torch.autograd.grad(naive(alone, x[0], activation, "ntk").sum(), alone)
    for found, wanted in zip(gradients, expected, strict=True):
        close(found[0], wanted)


def test_a_stack_agrees_with_its_networks_one_by_one():
    """A network's function and gradient do not depend on its neighbours."""
    ensemble = Ensemble(net(3, "relu", "ntk", 3))
    theta = weights(ensemble.model, 5)
    x, delta = stack(5, outputs=3)

    def gradients(rows):
        out = [torch.zeros_like(weight[rows]) for weight in theta]
        f, tape = ensemble.forward([weight[rows] for weight in theta], x[rows])
        ensemble.gradients([weight[rows] for weight in theta], tape, delta[rows], out)
        return [f, *out]

    together = gradients(slice(None))
    for row in range(5):
        for found, wanted in zip(gradients(slice(row, row + 1)), together, strict=True):
            close(found[0], wanted[row], 1e-13)


def test_one_copy_read_out_with_another_weight_is_scaled():
    """A readout of one copy that is not 1 counts."""
    model = net(2, "tanh", "standard", 1)
    theta = weights(model, 2)
    x, _ = stack(2)
    close(Ensemble(model, (-0.5,)).forward(theta, x)[0], -0.5 * Ensemble(model).forward(theta, x)[0])


@pytest.mark.parametrize("parametrization", ["ntk", "standard"])
def test_build_reads_a_cells_network(parametrization):
    """Depth counts weight matrices; factor times standard deviation is 1/√fan-in either way."""
    network = {"depth": 4, "width": 16, "activation": "erf", "parametrization": parametrization, "frozen": []}
    model = build(network, shape=(5,), outputs=3)
    assert model.weight_shapes == [(16, 5), (16, 16), (16, 16), (3, 16)]
    assert (model.activation, model.parametrization) == ("erf", parametrization)
    for (_, into), factor, std in zip(model.weight_shapes, model.factors, model.draw_stds, strict=True):
        assert factor * std == pytest.approx(into**-0.5, rel=1e-15)
        assert 1.0 in (factor, std)


@pytest.mark.parametrize("activation", PHI)
def test_float32_is_float32(activation):
    """The dtype of the weights is the dtype of everything, to float32's own accuracy."""
    model = net(3, activation, "ntk", 1)
    theta = weights(model, 2)
    x, delta = stack(2)
    ensemble = Ensemble(model, (1.0,))
    f, tape = ensemble.forward([weight.float() for weight in theta], x.float())
    gradients = [torch.zeros_like(weight, dtype=torch.float32) for weight in theta]
    ensemble.gradients([weight.float() for weight in theta], tape, delta.float(), gradients)
    assert f.dtype == torch.float32
    for row in range(2):
        alone = [weight[row, 0].clone().requires_grad_() for weight in theta]
        expected = naive(alone, x[row], activation, "ntk")
        close(f[row].double(), expected.detach(), 1e-5)
        for found, wanted in zip(gradients, torch.autograd.grad(expected, alone, delta[row]), strict=True):
            close(found[row, 0].double(), wanted, 1e-5)


def test_auto_takes_what_there_is(monkeypatch):
    """Without a GPU, auto and cpu train on the CPU, and cuda says how to ask for one."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert device.choose("auto") == device.choose("cpu") == torch.device("cpu")
    with pytest.raises(RuntimeError, match="sees no GPU: ask for one in the profile"):
        device.choose("cuda")


def test_a_gpu_is_taken_only_where_wanted(monkeypatch, caplog):
    """With a GPU, auto and cuda take it, without TF32 anywhere, and the log names it; cpu does not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "Some GPU")
    monkeypatch.setattr(torch.backends.cuda, "matmul", SimpleNamespace(allow_tf32=True))
    monkeypatch.setattr(torch.backends.cudnn, "allow_tf32", True)
    caplog.set_level("INFO", "minima")
    assert device.choose("cpu") == torch.device("cpu")
    assert device.choose("auto") == device.choose("cuda") == torch.device("cuda")
    assert not torch.backends.cuda.matmul.allow_tf32
    assert not torch.backends.cudnn.allow_tf32
    assert "device: cuda (Some GPU)" in caplog.messages
