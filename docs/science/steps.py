"""What a step of size η adds to a network's flow, for `checks.py`: a small net by autograd alone, its flows
by SciPy and its training by PyTorch, beside the strides of `minima.theory.strides`.

f(x) = φ(xW₁ᵀ/√d)·w₂/√m, and L = ‖y − f‖²/2N, over θ = (W₁, w₂) [p].
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.integrate import solve_ivp
from torch import Tensor
from torch.func import grad, jvp

from minima.engine.ensemble import Ensemble
from minima.engine.losses import mse
from minima.engine.networks.mlp import MLP
from minima.streams import stream
from minima.theory.losses import Goal, Objective
from minima.theory.methods import Method, Squares
from minima.theory.strides import Trip, follow

Array = NDArray[np.float64]
RESIDUAL = 0.03
METHODS = {  # of PyTorch
    "gd": (torch.optim.SGD, (0.8, 0.4, 0.2), {}),
    "momentum": (torch.optim.SGD, (0.2, 0.1, 0.05), {"momentum": 0.8}),
    "adagrad": (torch.optim.Adagrad, (0.08, 0.04, 0.02), {}),
    "adam": (torch.optim.Adam, (8e-3, 4e-3, 2e-3), {}),
}


@dataclass(frozen=True)
class SmallNet:
    """`SmallNet` is the net with its points."""

    phi: Callable[[Tensor], Tensor]
    x: Tensor  # [N, d]
    y: Tensor  # [N]
    seen: Tensor  # points on which functions are compared [t, d]
    start: Tensor  # θ₀ [p]

    def f(self, theta: Tensor, x: Tensor) -> Tensor:
        """`f` returns f [n] at x [n, d]."""
        features = x.shape[1]
        width = len(theta) // (features + 1)
        first, second = theta[: width * features].view(width, features), theta[width * features :]
        return self.phi(x @ first.T / features**0.5) @ second / width**0.5

    def loss(self, theta: Tensor) -> Tensor:
        """`loss` returns L."""
        return (self.y - self.f(theta, self.x)).square().mean() / 2

    def gradient(self, theta: Tensor) -> Tensor:
        """`gradient` returns ∂L/∂θ [p]."""
        return grad(self.loss)(theta)

    def bent(self, theta: Tensor) -> tuple[Tensor, Tensor]:
        """`bent` returns g = ∂L/∂θ and Hg, H the Hessian of L, [p] each."""
        g = self.gradient(theta)
        return g, jvp(grad(self.loss), (theta,), (g,))[1]

    def apart(self, one: Tensor, other: Tensor) -> float:
        """`apart` returns the distance of two functions over the norm of the second."""
        f, g = self.f(one, self.seen), self.f(other, self.seen)
        return float((f - g).norm() / g.norm())


def small_net(
    phi: Callable[[Tensor], Tensor], points: int = 8, features: int = 6, width: int = 24
) -> SmallNet:
    """`small_net` returns a net drawn at random, on points of the sphere of radius √d with targets ±1."""
    draws = stream(0, "small net")
    x = torch.tensor(draws.standard_normal((points + 16, features)))
    x = x * (features**0.5 / x.norm(dim=1, keepdim=True))
    y = torch.tensor(np.sign(draws.standard_normal(points)))
    start = torch.tensor(draws.standard_normal(width * (features + 1)))
    return SmallNet(phi, x[:points], y, x[points:], start)


def descended(net: SmallNet, rate: float, momentum: float, steps: int) -> Tensor:
    """`descended` returns θ behind so many steps of heavy ball, v ← μv + g, θ ← θ − ηv."""
    theta, velocity = net.start.clone(), torch.zeros_like(net.start)
    for _ in range(steps):
        velocity = momentum * velocity + net.gradient(theta)
        theta = theta - rate * velocity
    return theta


def followed(net: SmallNet, time: float, rate: float, momentum: float, modified: bool) -> Tensor:
    """`followed` returns θ at t of θ̇ = −g/(1 − μ), or of the modified flow of heavy ball

        θ̇ = −g/(1 − μ) − η (1 + μ)/(2(1 − μ)³) Hg,   θ(0) = θ₀ + η μ/(1 − μ)² g(θ₀),

    by SciPy. For μ = 0 that is gradient flow of L + η/4 ‖∇L‖²."""
    rest, start = 1 - momentum, net.start
    bends = rate * (1 + momentum) / (2 * rest**3) if modified else 0.0
    if modified:
        start = start + rate * momentum / rest**2 * net.gradient(start)

    def velocity(_: float, theta: Array) -> Array:
        g, bent = net.bent(torch.from_numpy(theta))
        return (-g / rest - bends * bent).numpy()

    found = solve_ivp(velocity, (0, time), start.numpy(), method="DOP853", rtol=1e-10, atol=1e-12)
    return torch.from_numpy(found.y[:, -1])


def trained(
    net: SmallNet, optimizer: type[torch.optim.Optimizer], residual: float, **numbers: float
) -> tuple[Tensor, int]:
    """`trained` returns θ as soon as the residual is reached, by an optimizer of PyTorch, and the steps."""
    theta = net.start.clone().requires_grad_()
    optimizer = optimizer([theta], **numbers)
    steps, goal = 0, residual**2 * float(net.loss(net.start))
    while (loss := net.loss(theta)).item() > goal:
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        steps += 1
    return theta.detach(), steps


def networks() -> Iterator[str]:
    """What a step adds to a network's flow, by SciPy; and training by PyTorch beside its strides."""
    net = small_net(torch.tanh)
    yield "η       heavy ball, μ = 0.5, to gradient flow at the same time; to the modified flow"
    edge = 2 / float(torch.linalg.eigvalsh(torch.func.hessian(net.loss)(net.start))[-1])
    for share in (0.2, 0.1, 0.05, 0.025):
        end = descended(net, share * edge, 0.5, round(4 / share))
        gaps = [net.apart(followed(net, 4 * edge, share * edge, 0.5, way), end) for way in (False, True)]
        yield f"{share:<8g}{gaps[0]:<54.2g}{gaps[1]:.2g}"
    for name, phi in (("tanh", torch.tanh), ("relu", torch.relu)):
        net = small_net(phi)
        yield ""
        yield f"{name:<10}η        steps    training to the flow    to strides of growth 1.28, 1.14, 1.07"
        for label, (optimizer, rates, numbers) in METHODS.items():
            for rate in rates:
                own = numbers | ({"betas": (0.9, 1 - rate)} if label == "adam" else {})
                end, steps = trained(net, optimizer, RESIDUAL, lr=rate, **own)
                ways = [(1.035, False), (1.28, True), (1.14, True), (1.07, True)]
                flow, *at_step = [net.apart(_strides(net, name, label, rate, own, *way), end) for way in ways]
                near = "  ".join(f"{gap:.1e}" for gap in at_step)
                yield f"{label:<10}{rate:<9g}{steps:<9}{flow:<24.1e}{near}"


def _strides(
    net: SmallNet, phi: str, label: str, rate: float, numbers: Mapping, growth: float, discrete: bool
) -> torch.Tensor:
    """θ to which strides follow the net."""
    width = len(net.start) // (net.x.shape[1] + 1)
    ensemble = Ensemble(MLP((net.x.shape[1], width, 1), phi, "ntk"))
    weights = [net.start[:-width].view(1, 1, width, -1), net.start[-width:].view(1, 1, 1, -1)]
    x, y = net.x[None], net.y[None, :, None]
    objective = Objective(mse.loss, y)
    f, _ = ensemble.forward(weights, x)
    squares = None
    if label in ("adagrad", "adam"):
        kept = numbers["betas"][1] if label == "adam" else None
        squares = Squares(kept, label == "adam", 1e-8 if kept else 1e-10, 0.0)
    beta = numbers["betas"][0] if label == "adam" else numbers.get("momentum", 0.0)
    method = Method(lambda step: rate, beta, mean=label == "adam", squares=squares)
    goal = Goal(objective, RESIDUAL**2 * objective.value(f))
    end = follow(Trip(ensemble, weights, x, 0 * f, goal, method, discrete), growth)
    return net.start + end.moved[0]
