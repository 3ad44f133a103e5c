"""J of modules that are wired in ways which layers alone do not show, against a backward pass per row."""

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from minima.engine.ensemble import Ensemble
from minima.engine.jacobians import jacobian
from minima.engine.networks.module import net_of

SHAPE, POINTS = (2, 6, 6), 5


class Wired(nn.Module):
    """Layers by name, and the forward pass that uses them."""

    def __init__(self, wiring: Callable, **layers: nn.Module | nn.Parameter):
        super().__init__()
        for name, layer in layers.items():
            setattr(self, name, layer)
        self.readout, self.wiring = nn.Linear(4, 3), wiring

    def forward(self, x: Tensor) -> Tensor:
        return self.readout(self.wiring(self, x))


def rows(x):
    return x.flatten(1)


def tokens(x):
    return x.flatten(1, 2)  # [n, 12, 6]


def one_dimensional():
    """Convolutions over sequences: strides, groups, a circle."""
    return Wired(
        lambda net, x: net.b(net.a(x.flatten(2)).tanh()).tanh().mean(2),
        a=nn.Conv1d(2, 4, 3, stride=2, padding=1, groups=2),
        b=nn.Conv1d(4, 4, 3, padding="same", padding_mode="circular"),
    )


def up_and_down():
    """Padding by name, a transposed convolution, statistics of each instance, a slope that is learnt."""
    return Wired(
        lambda net, x: net.slope(net.norm(net.b(net.up(net.a(x).tanh()).tanh()))).square().mean((2, 3)),
        a=nn.Conv2d(2, 4, 3, padding="same"),
        up=nn.ConvTranspose2d(4, 3, 2, stride=2),
        b=nn.Conv2d(3, 4, 3, stride=2, padding="valid", bias=False),
        norm=nn.InstanceNorm2d(4, affine=True),
        slope=nn.PReLU(4),
    )


def tokens_first():
    """A transformer that takes tokens first and points second."""
    return Wired(
        lambda net, x: net.block(net.into(tokens(x).transpose(0, 1))).mean(0),
        into=nn.Linear(6, 4),
        block=nn.TransformerEncoderLayer(4, 2, 6, 0.0),
    )


def as_many_tokens_as_points():
    """Tokens first, and shapes that do not tell them from points."""

    def wiring(net, x):
        h = rows(x)[:, : 14 * POINTS].unflatten(1, (POINTS, 14)).transpose(0, 1)
        return net.inner(net.into(h).tanh()).tanh().mean(0)

    return Wired(wiring, into=nn.Linear(14, 4), inner=nn.Linear(4, 4))


def halves():
    """Both halves of every row through one layer, all first halves before all second ones."""

    def wiring(net, x):
        first, second = rows(x).chunk(2, dim=1)
        return net.into(torch.cat([first, second])).tanh().unflatten(0, (2, -1)).sum(0)

    return Wired(wiring, into=nn.Linear(36, 4))


def of_no_point():
    """A layer whose input is a parameter, without a dimension of points."""
    return Wired(
        lambda net, x: net.inner((rows(x) * net.scale(net.query)).tanh()),
        query=nn.Parameter(torch.randn(4)),
        scale=nn.Linear(4, 72),
        inner=nn.Linear(72, 4),
    )


def functional_weight():
    """A layer that is never called: its weight is rescaled and used."""
    return Wired(
        lambda net, x: functional.linear(rows(x), net.into.weight * net.gain[:, None], net.into.bias).tanh(),
        into=nn.Linear(72, 4),
        gain=nn.Parameter(torch.randn(4)),
    )


def apart():
    """A branch without gradient, and a layer without use."""

    def wiring(net, x):
        h = net.into(rows(x)).tanh()
        return h + net.branch(h).detach()

    return Wired(wiring, into=nn.Linear(72, 4), branch=nn.Linear(4, 4), unused=nn.Linear(4, 4))


def normalized_weight():
    """PyTorch's weight normalization, which has no forward derivative."""
    layer = nn.utils.parametrizations.weight_norm(nn.Linear(72, 4))
    return Wired(lambda net, x: net.into(rows(x)).tanh(), into=layer)


def bilinear():
    """A layer of two inputs."""
    return Wired(
        lambda net, x: net.pair(*net.into(rows(x)).tanh().chunk(2, dim=1)),
        into=nn.Linear(72, 6),
        pair=nn.Bilinear(3, 3, 4),
    )


def root_mean_square():
    """A normalization without parameters, one by the root mean square, and a ReLU over its own input."""
    return Wired(
        lambda net, x: net.scaled(net.plain(torch.relu_(net.into(rows(x))))),
        into=nn.Linear(72, 4),
        plain=nn.LayerNorm(4, elementwise_affine=False),
        scaled=nn.RMSNorm(4),
    )


def attention():
    """Attention as a layer of its own, with its weights."""
    return Wired(
        lambda net, x: net.look(*[net.into(tokens(x))] * 3, need_weights=True)[0].mean(1),
        into=nn.Linear(6, 4),
        look=nn.MultiheadAttention(4, 2, batch_first=True),
    )


def gated():
    """An output that is used twice."""

    def wiring(net, x):
        h = net.into(rows(x))
        return h.tanh() * h.sigmoid()

    return Wired(wiring, into=nn.Linear(72, 4))


def recurrent():
    return Wired(lambda net, x: net.cell(tokens(x))[0][:, -1], cell=nn.LSTM(6, 4, batch_first=True))


MODULES = (
    one_dimensional,
    up_and_down,
    tokens_first,
    as_many_tokens_as_points,
    halves,
    of_no_point,
    functional_weight,
    apart,
    normalized_weight,
    bilinear,
    root_mean_square,
    attention,
    gated,
    recurrent,
)


def by_backward_passes(module: nn.Module, x: Tensor) -> Tensor:
    """J [n·o, p], a row at a time."""
    own = list(module.parameters())
    each = [
        torch.autograd.grad(f, own, retain_graph=True, materialize_grads=True)
        for f in module(x.view(-1, *SHAPE)).flatten()
    ]
    return torch.stack([torch.cat([part.flatten() for part in row]) for row in each])


def close(found: Tensor, wanted: Tensor) -> None:
    assert found.shape == wanted.shape
    assert (found - wanted).abs().max() <= 1e-10 * wanted.abs().max()


@pytest.mark.filterwarnings("ignore:There is a performance drop")
@pytest.mark.parametrize("make", MODULES)
def test_products_are_those_of_rows_by_backward_passes(make):
    """Whoever's parameter it is, in whatever order points go through the layers."""
    torch.manual_seed(0)
    module, x = make().double().eval(), torch.randn(POINTS, 72, dtype=torch.float64)
    full = by_backward_passes(module, x)
    net, weights = net_of(module, SHAPE)
    f, found = jacobian(Ensemble(net), weights, x[None])
    u, c = (torch.randn(1, *shape, dtype=torch.float64) for shape in ((full.shape[1],), (POINTS, 3)))
    close(f[0], module(x.view(-1, *SHAPE)).detach())
    close(found.times(u)[0].flatten(), full @ u[0])
    close(found.transposed(c)[0], full.T @ c.flatten())
    close(found.kernel()[0], full @ full.T)
    close(found.kernel(found.first(2))[0], full @ full[:6].T)
    close(found.weighted_kernel(u.abs())[0], (full * u[0].abs()) @ full.T)
    each = (full * c.reshape(-1, 1)).unflatten(0, (POINTS, 3)).sum(1)
    noisy = 0.6 * each.sum(0).square() + 0.4 * POINTS * each.square().sum(0)
    close(found.squares(c[:, None], 0.4)[0], noisy)
