"""J of any torch module, by what layers see and by directions, against the Jacobian that autograd forms."""

from functools import partial

import pytest
import torch
from torch import nn
from torch.func import functional_call, jacrev

from minima.engine import budget
from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian, mean_jacobian, place, tangent_kernel
from minima.engine.networks.mlp import MLP
from minima.engine.networks.module import net_of
from minima.theory.lanczos import largest_eigenvalue


class Residual(nn.Module):
    """Convolutions with group normalization and a way around them."""

    def __init__(self):
        super().__init__()
        self.into = nn.Conv2d(2, 4, 3, padding=1)
        self.norm = nn.GroupNorm(2, 4)
        self.block = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.readout = nn.Linear(4, 3)

    def forward(self, x):
        x = self.into(x)
        x = x + self.block(torch.relu(self.norm(x)))
        return self.readout(torch.relu(x).mean((2, 3)))


class Transformer(nn.Module):
    """Rows of images as tokens."""

    def __init__(self):
        super().__init__()
        self.into = nn.Linear(6, 8)
        self.place = nn.Parameter(torch.randn(12, 8) / 4)
        self.layer = nn.TransformerEncoderLayer(8, 2, 12, 0.0, "gelu", batch_first=True, norm_first=True)
        self.readout = nn.Linear(8, 3)

    def forward(self, x):
        return self.readout(self.layer(self.into(x.flatten(1, 2)) + self.place).mean(1))


class Tied(nn.Module):
    """One weight in two layers, another used outside its layer too, a layer used twice."""

    def __init__(self):
        super().__init__()
        self.a, self.b = nn.Linear(72, 72), nn.Linear(72, 72, bias=False)
        self.b.weight = self.a.weight
        self.c, self.readout = nn.Linear(72, 8), nn.Linear(8, 3)
        self.twice = nn.Linear(8, 8)

    def forward(self, x):
        x = torch.tanh(self.b(torch.tanh(self.a(x.flatten(1)))))
        x = self.twice(torch.tanh(self.twice(self.c(x)))) + nn.functional.linear(x, self.c.weight)
        return self.readout(x)


class Odd(nn.Module):
    """Strides, dilation, groups, reflection, and steps that write over what they read."""

    def __init__(self):
        super().__init__()
        self.a = nn.Conv2d(2, 4, 3, stride=2, padding=2, dilation=2)
        self.b = nn.Conv2d(4, 4, 3, groups=2, padding=1)
        self.c = nn.Conv2d(4, 4, 3, padding=1, padding_mode="reflect")
        self.norm = nn.BatchNorm2d(4)
        self.last = nn.LayerNorm(4)
        self.readout = nn.Linear(4, 3)

    def forward(self, x):
        x = nn.functional.relu(self.norm(self.a(x)), inplace=True)
        x = self.c(self.b(x))
        x.mul_(0.5)
        return self.readout(self.last(x.mean((2, 3))))


class Recurrent(nn.Module):
    """Rows of images one after the other, through a layer that cannot be vmapped."""

    def __init__(self):
        super().__init__()
        self.memory = nn.GRU(6, 5, batch_first=True)
        self.readout = nn.Linear(5, 3)

    def forward(self, x):
        return self.readout(self.memory(x.flatten(1, 2))[0][:, -1])


MODULES = {module.__name__: module for module in (Residual, Transformer, Tied, Odd, Recurrent)}
SHAPE = (2, 6, 6)
POINTS = 5


@pytest.fixture(params=MODULES)
def made(request):
    return problem(MODULES[request.param])


def problem(kind, copies=1):
    """An ensemble of a module with weights of its own, points, and J by autograd [n·o, p]."""
    torch.manual_seed(0)
    modules = [kind().double().eval() for _ in range(copies)]
    for buffer in (b for module in modules for b in module.buffers() if b.is_floating_point()):
        buffer.uniform_(0.5, 1.5)
    readout = (0.6, -0.8)[:copies] if copies > 1 else (1.0,)
    nets, tensors = zip(*(net_of(module, SHAPE) for module in modules), strict=True)
    weights = [torch.cat(copy, dim=1) for copy in zip(*tensors, strict=True)]
    x = torch.randn(POINTS, 72, dtype=torch.float64)
    rows = []
    for share, module in zip(readout, modules, strict=True):
        named = {name: p.detach() for name, p in module.named_parameters()}
        f = partial(functional_call, module)
        found = jacrev(lambda own, f=f: f(own, (x.view(-1, *SHAPE),)))(named)
        rows.append([share * found[name].flatten(2).flatten(0, 1) for name in named])
    full = torch.cat([part for parts in zip(*rows, strict=True) for part in parts], dim=1)
    return Ensemble(nets[0], readout), weights, x[None], full


def close(found, wanted, relative=1e-10):
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= relative * wanted.abs().max()


def holds(rows, full):
    """Every product is that of the matrix."""
    draw = partial(torch.randn, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    u, c = draw(1, full.shape[1]), draw(1, POINTS, 3)
    assert rows.parameters == full.shape[1]
    close(rows.times(u)[0].flatten(), full @ u[0])
    close(rows.transposed(c)[0], full.T @ c.flatten())
    close(rows.kernel()[0], full @ full.T)
    close(rows.kernel(rows.first(2))[0], full @ full[:6].T)
    close(rows.along(rows.first(2), c[:, :2])[0].flatten(), full @ full[:6].T @ c[0, :2].flatten())
    close(rows.first(2).times(u)[0].flatten(), full[:6] @ u[0])
    weights = draw(1, full.shape[1]).abs()
    close(rows.weighted_kernel(weights)[0], (full * weights) @ full.T)
    errors = draw(1, 2, POINTS, 3)
    each = torch.einsum("nop,qno->qnp", full.unflatten(0, (POINTS, 3)), errors[0])
    squares = each.sum(1).square()
    close(rows.squares(errors)[0], squares.sum(0))
    noisy = (0.7 * squares + 0.3 * POINTS * each.square().sum(1)).sum(0)
    close(rows.squares(errors, 0.3)[0], noisy)


def test_products_are_those_of_autograds_jacobian(made):
    """Whatever the layers: convolutions, normalizations, attention, tied and free weights."""
    ensemble, weights, x, full = made
    f, rows = jacobian(ensemble, weights, x)
    assert f.shape == (1, POINTS, 3)
    holds(rows, full)


def test_a_small_budget_changes_nothing(made):
    """Points and parameters in blocks, where J does not fit."""
    ensemble, weights, x, full = made
    with budget.of(2e-5):  # 2,500 numbers
        _, rows = jacobian(ensemble, weights, x)
        assert rows.formed is None
        holds(rows, full)


def test_copies_are_read_out():
    """f = Σ_k r_k f_k, tensor by tensor and then copy by copy."""
    ensemble, weights, x, full = problem(Residual, copies=2)
    holds(jacobian(ensemble, weights, x)[1], full)


def test_a_formed_jacobian_is_kept(made):
    """J of some points is a part of it, and products go by it."""
    ensemble, weights, x, full = made
    _, rows = jacobian(ensemble, weights, x)
    close(rows.formed[0].flatten(0, 1), full)
    holds(rows, full)


def test_a_mean_jacobian_weighs_parameters_as_its_rows_do():
    """Of layers whose rows are two outer products, one from each node of the segment, with more outputs than
    that: JDJᵀ goes by pairs of points before any row of J is formed, and other products by those parts."""
    torch.manual_seed(0)
    module = nn.Sequential(nn.Linear(7, 9), nn.Tanh(), nn.Linear(9, 5)).double()
    net, weights = net_of(module, (7,))
    ensemble, x = Ensemble(net), torch.randn(1, 4, 7, dtype=torch.float64)
    ends = [place(ensemble, [scale * weight for weight in weights], x) for scale in (1.0, 1.5)]
    full = mean_jacobian(ensemble, *ends).formed[0].flatten(0, 1)
    mean = mean_jacobian(ensemble, *ends)
    weights = torch.rand(1, full.shape[1], dtype=torch.float64)
    errors = torch.randn(1, 3, 4, 5, dtype=torch.float64)
    close(mean.weighted_kernel(weights)[0], (full * weights) @ full.T)
    close(mean.transposed(errors[:, 0])[0], full.T @ errors[0, 0].flatten())
    close(mean.squares(errors)[0], (errors[0].flatten(1) @ full).square().sum(0))


@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_modules_agree_with_the_nets_that_are_known_by_layers(activation):
    """A chain of torch's layers is the fully connected net of the same weights, to 1e-9."""
    torch.manual_seed(0)
    phi = {"relu": nn.ReLU, "tanh": nn.Tanh}[activation]
    module = nn.Sequential(
        nn.Linear(7, 9, bias=False), phi(), nn.Linear(9, 6, bias=False), phi(), nn.Linear(6, 2, bias=False)
    ).double()
    net, weights = net_of(module, (7,))
    known, any_module = Ensemble(MLP((7, 9, 6, 2), activation, "none")), Ensemble(net)
    x = torch.randn(1, 4, 7, dtype=torch.float64)
    pairs = [jacobian(ensemble, weights, x)[1] for ensemble in (known, any_module)]
    assert pairs[0].parameters == pairs[1].parameters
    u = torch.randn(1, pairs[0].parameters, dtype=torch.float64)
    errors = torch.randn(1, 3, 4, 2, dtype=torch.float64)
    for product in (
        lambda j: j.times(u),
        lambda j: j.transposed(errors[:, 0]),
        lambda j: j.kernel(),
        lambda j: j.along(j.first(2), errors[:, 0, :2]),
        lambda j: j.weighted_kernel(u.abs()),
        lambda j: j.squares(errors, 0.2),
    ):
        close(product(pairs[1]), product(pairs[0]), 1e-9)
    columns = [tangent_kernel(ensemble, weights, x, 2) for ensemble in (known, any_module)]
    close(columns[1], columns[0], 1e-9)


def test_the_mean_jacobian_leads_along_the_segment():
    """f(θ') − f(θ) = J̄(θ' − θ) up to the error of the quadrature, which falls as the fifth power of the
    distance; its products agree with each other."""
    ensemble, weights, x, _ = problem(Transformer)
    direction = [torch.randn_like(weight) for weight in weights]
    errors = []
    for length in (0.04, 0.02):
        other = [weight + length * part for weight, part in zip(weights, direction, strict=True)]
        start, end = place(ensemble, weights, x), place(ensemble, other, x)
        mean = mean_jacobian(ensemble, start, end)
        u = ensemble.vector(other) - ensemble.vector(weights)
        errors.append(float((mean.times(u) - (end.f - start.f)).norm()))
    assert errors[0] < 1e-4
    assert errors[1] < errors[0] / 16
    full = mean.formed[0].flatten(0, 1)
    holds(mean, full)


def test_lanczos_finds_the_edge(made):
    """λmax of Θ by products alone."""
    ensemble, weights, x, full = made
    f, rows = jacobian(ensemble, weights, x)
    wanted = float(torch.linalg.eigvalsh(full @ full.T)[-1])
    assert largest_eigenvalue(rows, f) == pytest.approx(wanted, rel=1e-8)


class Together(nn.Module):
    """A module that centres its outputs over the points."""

    def __init__(self):
        super().__init__()
        self.readout = nn.Linear(72, 3)

    def forward(self, x):
        f = self.readout(x.flatten(1))
        return f - f.mean(0)


def test_points_that_see_each_other_are_refused():
    torch.manual_seed(0)
    net, weights = net_of(Together().double(), SHAPE)
    _, rows = jacobian(Ensemble(net), weights, torch.randn(1, POINTS, 72, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="depends on the other points"):
        rows.kernel()


@pytest.mark.parametrize("points", [3, 80])
def test_of_few_and_of_many_points_functions_move_alike(points):
    """JJᵀc of a fully connected net is that of both factors, whichever way is the cheaper."""
    torch.manual_seed(0)
    ensemble = Ensemble(MLP((4, 9, 6, 2), "relu", "ntk"), (0.6, -0.8))
    weights = [torch.randn(2, 2, *shape, dtype=torch.float64) for shape in ensemble.model.weight_shapes]
    _, rows = jacobian(ensemble, weights, torch.randn(2, points + 5, 4, dtype=torch.float64))
    c = torch.randn(2, points, 2, dtype=torch.float64)
    close(rows.along(rows.first(points), c), rows.times(rows.first(points).transposed(c)))
