"""Where adaptive methods go as their step shrinks, from the initialization alone (beyond 2011.02408).

As η → 0 AdaGrad (time t = η²·steps), RMSprop and Adam (t = η·steps, κ = (1 − α)/η held) follow

    du/dt = c(t) Jᵀe/√S,   dS/dt = a g² − b S,   g = Jᵀe,   e = −N ∂L/∂f

with (a, b, c) = (1, 0, 1), (κ, κ, 1) and (κ, κ, √(1 − e^{−κt})): the limit of AdaGrad has no step size in it.
Under the squared error e = y − f. The averaged flow of mini-batches has their mean squared gradient in place
of g² (`Jacobian.squares`).

S = 0 at the start is a singularity of t alone: with s = √t

    du/ds = D Jᵀe,   D = 2sc/√S,   dS/ds = 2s (a g² − b S)

and for AdaGrad D = 2/|g₀| at s = 0. The flow is followed in pieces of s with constant D (that of mid-piece),
each followed in function space (`minima.theory.pieces`): over a length h

    u(h) = u + D Jᵀ ∫₀^h e,   S(h) from ∫₀^h 2s g², by Gauss–Legendre.

Pieces grow geometrically; the error is of second order in growth − 1 (distance from the converged flow, 64
units on digits: 1.4e-4, 4.5e-4, 1.3e-3 at growth 1.15, 1.3, 1.6). Networks themselves are followed by strides
(`minima.theory.strides`), whose J moves.

E networks at once, each with pieces of its own; parameters are vectors [E, p].
"""

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from minima.engine.core import Recipe
from minima.engine.decompositions import eigvalsh
from minima.engine.jacobians import Jacobian
from minima.theory.linearization import Linearization, Predicted
from minima.theory.losses import Goal
from minima.theory.methods import noise_of
from minima.theory.pieces import piece

LANDING = 1e-3  # residual from which a fixed D goes on
FIRST = 0.05  # first piece in units of 1/λmax of JDJᵀ
NODES = [torch.tensor(values) for values in np.polynomial.legendre.leggauss(4)]  # on [−1, 1], and weights


@dataclass(frozen=True)
class Rule:
    """`Rule` says how S and D follow the gradients, in numbers or tensors [E, 1]; the defaults are full-batch
    AdaGrad's."""

    gain: Tensor | float = 1.0  # a
    decay: Tensor | float = 0.0  # b
    corrected: bool = False  # c = √(1 − e^{−bt}), else 1
    noise: float = 0.0  # of mini-batches, as in `Jacobian.squares`

    def kept(self, begin: Tensor, end: Tensor) -> Tensor:
        """The part of S that is left from one s to another, [E, …]."""
        return torch.exp(self.decay * (begin.square() - end.square()))

    def preconditioner(self, s: Tensor, squares: Tensor) -> Tensor:
        """D = 2sc/√S [E, p] at s [E, 1]; 0 for a parameter that no gradient reaches."""
        factor = 2 * s
        if self.corrected:
            factor = factor * torch.sqrt(-torch.expm1(-self.decay * s.square()))
        return torch.where(squares > 0, factor / squares.sqrt(), 0)


@dataclass(frozen=True)
class End:
    """`End` is the point to which a flow was followed."""

    moved: Tensor  # u = θ − θ₀ [E, p]
    squares: Tensor  # S [E, p]
    met: Tensor  # whether the goal was met there [E]
    pieces: Tensor  # [E]


def follow(
    jacobian: Jacobian,
    f: Tensor,
    rule: Rule,
    goal: Goal,
    growth: Tensor | float,
    corrections: int = 1,
    most: int = 1000,
) -> End:
    """`follow` follows linearized networks from f₀ [E, n, o] to their goal, or for `most` pieces, and returns
    where the flow ended.

    corrections: how often the D of mid-piece, which is first computed for a constant e, is computed again for
    the e of the piece that it gives.
    """
    objective, moved = goal.objective, f.new_zeros(len(f), jacobian.parameters)
    squares = torch.zeros_like(moved)
    s, pieces = torch.zeros_like(goal.loss), torch.zeros_like(goal.loss)
    length = _first_length(rule, jacobian, objective.pull(f))
    while True:
        met = goal.met(f)
        going = ~met & objective.value(f).isfinite() & (length > 0)
        if not going.any() or int(pieces.max()) >= most:
            return End(moved, squares, met, pieces)
        h = torch.where(going, length, 0)
        still = objective.pull(f)[:, None].expand(-1, len(NODES[0]), -1, -1)
        half = _gathered(rule, jacobian, s, h / 2, squares, still)
        weights = rule.preconditioner((s + h / 2)[:, None], half)
        for _ in range(corrections):
            now = piece(jacobian, weights, objective, f, h)
            half = _gathered(rule, jacobian, s, h / 2, squares, now.error(_nodes(h / 2)))
            weights = rule.preconditioner((s + h / 2)[:, None], half)
        now = piece(jacobian, weights, objective, f, h)
        h = now.until(goal, h)
        squares = _gathered(rule, jacobian, s, h, squares, now.error(_nodes(h)))
        moved, f = moved + now.step(h), now.f(h)
        s, pieces = s + h, pieces + going
        fades = (rule.decay * s[:, None]).squeeze(1)  # S forgets within about 1/(bs)
        length = torch.minimum(growth * length, (growth - 1) / fades.clamp(min=1e-300))


def _first_length(rule: Rule, jacobian: Jacobian, error: Tensor) -> Tensor:
    """h with h·λmax = 0.05 under the D(h) of an e that stays: near 0 D is a power of s (0 for AdaGrad)."""
    zero = torch.zeros_like(error[:, 0, 0])
    squares, still = jacobian.transposed(error) * 0, error[:, None].expand(-1, len(NODES[0]), -1, -1)

    def fastest(s: Tensor) -> Tensor:
        weights = rule.preconditioner(s[:, None], _gathered(rule, jacobian, zero, s, squares, still))
        return eigvalsh(jacobian.weighted_kernel(weights))[:, -1]

    tiny = torch.full_like(zero, 1e-6)
    once, twice = fastest(tiny), fastest(2 * tiny)
    power = torch.log2(twice / once)
    # 0 where nothing moves
    return torch.where(once > 0, tiny * (FIRST / (tiny * once)) ** (1 / (1 + power)), 0)


def _nodes(length: Tensor) -> Tensor:
    """Times [E, q] at which the integral over a piece is taken."""
    return length[:, None] * (1 + NODES[0].to(length)) / 2


def _gathered(
    rule: Rule, jacobian: Jacobian, s: Tensor, length: Tensor, squares: Tensor, errors: Tensor
) -> Tensor:
    """S [E, p] at s + h, from S at s and the errors [E, q, n, o] at the nodes between."""
    begin, times, end = s[:, None], s[:, None] + _nodes(length), (s + length)[:, None]
    share = length[:, None] * NODES[1].to(length) * times * rule.gain * rule.kept(times, end)
    gained = jacobian.squares(errors * share.sqrt()[:, :, None, None], rule.noise)
    return rule.kept(begin, end) * squares + gained


def limit_of_flow(linearization: Linearization, rule: Rule) -> Predicted:
    """`limit_of_flow` returns where a linearized network's flow ends: at the goal of its training.

    Under the squared error it is followed to a residual of 1e-3, then on to 0 under the D it has there.
    AdaGrad's D no longer moves (to 1e-7 of the function). That of the others does, as their S forgets: their
    end is known only to the order of that residual.
    """
    objective, start = linearization.objective, linearization.f
    goal = (
        linearization.goal if not objective.squared else Goal(objective, LANDING**2 * objective.value(start))
    )
    end = follow(linearization.rows, start, rule, goal, linearization.growth)
    if not objective.squared:
        return linearization.of_moved(end.moved, end.pieces).where(end.met)
    weights = torch.where(end.squares > 0, end.squares.rsqrt(), 0)
    return linearization.of_weights(weights, end.moved, end.pieces).where(end.met)


def rule_of(recipe: Recipe | None) -> Rule | None:
    """The rule of a training's optimizer and batches; None for methods that do not adapt by coordinate."""
    squares = None if recipe is None else getattr(recipe.optimizer, "SQUARES", None)
    if squares is None:
        return None
    (kept, corrected), noise = squares, noise_of(recipe)
    if kept is None:
        return Rule(noise=noise)
    decay = ((1 - recipe.numbers[kept]) / recipe.numbers["lr"]).reshape(-1, 1)
    return Rule(decay, decay, corrected, noise)
