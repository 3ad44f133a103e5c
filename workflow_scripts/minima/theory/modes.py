"""Many steps of training at once, on the training points, under a kernel K = JDJᵀ that is held.

With the force c = −∂L/∂f of the loss, c = c₀ − H(f − f₀) for H = ∂²L/∂f², one step is (symbols as in
`minima.theory.methods`, with the learning rate in D)

    p ← βp + γc,   f ← f + K(δc + εp) + d

with d what else moves f, of which weight decay is an example. With K = VΛVᵀ, W = VΛ^½ and WᵀHW = UQUᵀ the
steps fall apart into modes, f = f₀ + WUy: H may be singular, as that of cross-entropy is. Every mode is a
linear recursion, whose power is taken; in the limit of small steps it is an exponential.

m = n·o; everything is of one network.
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from minima.engine.decompositions import eigh

SMALL = 1e-5  # of a rate × steps, below which its series is taken
NOISE = 1e-13  # of the largest eigenvalue: below, a direction in which nothing moves


class Memory(NamedTuple):
    """`Memory` holds β, γ, δ, ε of a step."""

    beta: float = 0.0
    gamma: float = 1.0
    delta: float = 0.0
    epsilon: float = 1.0

    def counted(self, steps: float) -> tuple[float, float]:
        """`counted` returns p and Σ(δc + εp) behind so many steps under c = 1, from p = 0 on."""
        left = self.beta**steps
        p = self.gamma * (1 - left) / (1 - self.beta)
        gathered = self.gamma / (1 - self.beta) * (steps - self.beta * (1 - left) / (1 - self.beta))
        return p, self.delta * steps + self.epsilon * gathered

    def carried(self, steps: float) -> float:
        """`carried` returns Σ ε·β^k, by how much an old p moves the weights."""
        return self.epsilon * self.beta * (1 - self.beta**steps) / (1 - self.beta)


@dataclass(frozen=True)
class Impulse:
    """`Impulse` is what steps gathered: the weights moved by DJᵀΣ(δc + εp) beside what an old p carries."""

    taken: Tensor  # Σ(δc + εp) of the forces on the way [m]
    kept: Tensor  # their p at the end [m]


@dataclass(frozen=True)
class Modes:
    """`Modes` holds the modes of one network's training."""

    root: Tensor  # WU [m, m]
    inverse: Tensor  # its pseudoinverse
    rates: Tensor  # Q [m]
    bend: Tensor  # H [n, o, o]
    discrete: bool  # steps; else their limit as they become small

    def impulse(self, force: Tensor, memory: Memory, steps: float, carried: Tensor, drift: Tensor) -> Impulse:
        """`impulse` returns what the steps gather, from c₀ = `force` [m], JDp₀ = `carried` [m] and
        d = `drift` [m] on."""
        pull, drift = self.root.mT @ force, self.inverse @ drift
        if memory.beta == 0:
            p, gathered = self._plain(memory, pull, drift, steps)
        else:
            p, gathered = self._remembering(memory, pull, self.inverse @ carried, drift, int(steps))
        one, all_steps = memory.counted(steps)
        return Impulse(all_steps * force - self._bent(gathered), one * force - self._bent(p))

    def _bent(self, y: Tensor) -> Tensor:
        """HWUy [m]."""
        return (self.bend @ (self.root @ y).view(len(self.bend), -1, 1)).flatten()

    def _plain(self, memory: Memory, pull: Tensor, drift: Tensor, steps: float) -> tuple[Tensor, Tensor]:
        """What p and Σ(δc + εp) are of y in place of c, behind so many steps [m] each."""
        gain = memory.delta + memory.epsilon * memory.gamma
        rates, pull = gain * self.rates, gain * pull + drift
        passed = rates * steps
        if self.discrete:
            left = 1 - rates
            # Beyond the edge of stability a mode does not grow for ever: it is left where its force is 0.
            left = torch.where(left.abs() < 1, left.abs() ** steps * left.sign() ** (steps % 2), 0)
        else:
            left = torch.exp(-passed)
        y = torch.where(passed > SMALL, (1 - left) / rates, steps) * pull
        sums = torch.where(
            passed > SMALL, (steps - (1 - left) / rates) / rates, steps * (steps - self.discrete) / 2
        )
        return memory.gamma * y, gain * sums * pull

    def _remembering(
        self, memory: Memory, pull: Tensor, carried: Tensor, drift: Tensor, steps: int
    ) -> tuple[Tensor, Tensor]:
        """The same of steps that remember, by the power of one of them."""
        beta, gamma, delta, epsilon = memory
        gain = delta + epsilon * gamma
        one = torch.zeros(len(pull), 5, 5, dtype=pull.dtype, device=pull.device)  # of (y, z, p, Σ, 1)
        one[:, 0, 0], one[:, 0, 1], one[:, 0, 4] = 1 - gain * self.rates, epsilon * beta, gain * pull + drift
        one[:, 1, 0], one[:, 1, 1], one[:, 1, 4] = -gamma * self.rates, beta, gamma * pull
        one[:, 2, 0], one[:, 2, 2] = gamma, beta
        one[:, 3, 0], one[:, 3, 2], one[:, 3, 3] = gain, epsilon * beta, 1
        one[:, 4, 4] = 1
        start = torch.zeros(len(pull), 5, 1, dtype=pull.dtype, device=pull.device)
        start[:, 1, 0], start[:, 4, 0] = carried, 1
        _, _, p, gathered, _ = (torch.linalg.matrix_power(one, steps) @ start)[:, :, 0].unbind(1)
        # Beyond the edge, as above.
        beyond = self.rates * (gain + beta * delta) >= 2 * (1 + beta)
        counted, all_steps = memory.counted(steps)
        rest = torch.where(beyond, pull / self.rates, 0)
        rested = (all_steps - 1 / self.rates.clamp(min=1e-300)) * rest
        return torch.where(beyond, counted * rest, p), torch.where(beyond, rested, gathered)


def modes_of(kernel: Tensor, bend: Tensor, discrete: bool, even: bool) -> Modes:
    """`modes_of` returns the modes under K [m, m] and H [n, o, o]; `even` says that H is a multiple of the
    identity, and needs no decomposition of its own."""
    values, basis = eigh(kernel)
    values = torch.where(values > NOISE * values[-1], values, 0)
    size = values.sqrt()
    root, back = basis * size, torch.where(size > 0, 1 / size, 0)[:, None] * basis.mT
    if even:
        return Modes(root, back, values * bend[0, 0, 0], bend, discrete)
    bent = (bend @ root.view(len(bend), -1, len(root))).view_as(root)
    rates, turn = eigh(root.mT @ bent)
    return Modes(root @ turn, turn.mT @ back, rates.clamp(min=0), bend, discrete)
