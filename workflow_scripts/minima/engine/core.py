"""The training loop: a stack of networks, trained together, each finishing on its own.

Networks never see each other: every operation acts on one slice of the stack, and one that has finished
leaves it. Shapes: E networks of K copies each; weights [E, K, out, in]; x [E, n, d]; y [E, n, outputs].
"""

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

logger = logging.getLogger("minima")

DIVERGED_LOSS = 1e3  # times the initial loss
LOG_SECONDS = 10.0
ROUNDINGS = 16  # a relative error of so many units in the last place is none


@dataclass(frozen=True)
class Ensemble:
    """Networks f = Σ_k readout_k f_k: how the copies of a model are read out."""

    model: Any
    readout: tuple[float, ...] = (1.0,)

    def forward(self, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Any]:
        """f [E, n, outputs] at x [E, n, d]."""
        copies = len(self.readout)
        each, tape = self.model.forward(
            _flat(weights), x if copies == 1 else x.repeat_interleave(copies, dim=0)
        )
        if self.readout == (1.0,):
            return each, tape
        return torch.einsum("k,ek...->e...", self._readout_like(each), each.unflatten(0, (-1, copies))), tape

    def add_gradients(
        self, weights: Sequence[Tensor], tape: Any, delta: Tensor, into: Sequence[Tensor]
    ) -> None:
        """Adds ∂L/∂W_l to `into`, from delta = ∂L/∂f [E, n, outputs]. `into` may be the weights."""
        if self.readout != (1.0,):
            delta = torch.einsum("k,e...->ek...", self._readout_like(delta), delta).flatten(0, 1)
        self.model.add_gradients(_flat(weights), tape, delta, _flat(into))

    def _readout_like(self, tensor: Tensor) -> Tensor:
        return torch.tensor(self.readout, dtype=tensor.dtype, device=tensor.device)


@dataclass(frozen=True)
class Rules:
    """When networks stop and what is recorded. `residual` and `loss` hold a number per network."""

    residual: Tensor
    loss: Tensor
    max_steps: int
    record_steps: Sequence[int]
    record_residuals: Sequence[float]


@dataclass(frozen=True)
class Finished:
    """A network at its end."""

    index: int
    status: str  # converged, stopped or diverged
    steps: int
    residual: float  # ‖y − f‖/‖y − f₀‖
    weights: list[Tensor]  # [K, out, in] per layer
    losses: Tensor  # ‖y − f‖²/2N at the recorded steps; NaN after the end
    residual_steps: Tensor  # first step at or below each recorded residual; −1 if none


@dataclass
class _Stack:
    """The networks still in training; every tensor has them along its first dimension."""

    index: Tensor
    x: Tensor
    y: Tensor
    start_square: Tensor
    residual_target: Tensor
    loss_target: Tensor
    losses: Tensor
    residual_steps: Tensor
    weights: list[Tensor]
    state: list[Tensor]
    numbers: dict[str, Tensor]

    def keep(self, rows: Tensor) -> "_Stack":
        def pick(value: Any) -> Any:
            if isinstance(value, Tensor):
                return value[rows]
            return (
                {k: v[rows] for k, v in value.items()}
                if isinstance(value, dict)
                else [v[rows] for v in value]
            )

        return replace(self, **{name: pick(value) for name, value in vars(self).items()})


@dataclass(frozen=True)
class _Gradients:
    """The gradient at the present weights, handed to the optimizer unevaluated: added where it is wanted, it
    needs no buffer and no further pass over the weights."""

    ensemble: Ensemble
    weights: list[Tensor]
    tape: Any
    delta: Tensor  # ∂L/∂f

    def add(self, into: Sequence[Tensor], factor: Tensor | float = 1.0) -> None:
        """into += factor · ∂L/∂W, with a factor per network [E, 1, 1, 1]. To be called once a step."""
        delta = self.delta * (factor.squeeze(3) if isinstance(factor, Tensor) else factor)
        self.ensemble.add_gradients(self.weights, self.tape, delta, into)


def train(
    ensemble: Ensemble,
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    optimizer: ModuleType,
    numbers: Mapping[str, Tensor],
    rules: Rules,
) -> Iterator[Finished]:
    """Minimizes ‖y − f(x)‖²/2N, network by network; yields each as it finishes.

    `weights` are trained in place. `numbers` holds the optimizer's hyperparameters, one per network.
    """
    stack = _stack(weights, x, y, optimizer, numbers, rules)
    log = _Progress(len(y))
    points = y.shape[1]
    columns = {step: column for column, step in enumerate(rules.record_steps)}
    for step in range(rules.max_steps + 1):
        f, tape = ensemble.forward(stack.weights, stack.x)
        error = f - stack.y
        square = error.square().sum((1, 2))
        if step == 0:
            stack.start_square = _start_square(square, stack.y)
        residual = _residual(square, stack.start_square)
        if step in columns:
            stack.losses[:, columns[step]] = square / (2 * points)
        _mark_first_steps(stack.residual_steps, residual, rules.record_residuals, step)
        converged = (residual <= stack.residual_target) | (square / (2 * points) <= stack.loss_target)
        diverged = ~(square <= DIVERGED_LOSS * stack.start_square)  # NaN too
        ended = converged | diverged | (step == rules.max_steps)
        if ended.any():
            for row in ended.nonzero().flatten().tolist():
                status = "converged" if converged[row] else "diverged" if diverged[row] else "stopped"
                yield Finished(
                    int(stack.index[row]),
                    status,
                    step,
                    float(residual[row]),
                    [weight[row].clone() for weight in stack.weights],
                    stack.losses[row],
                    stack.residual_steps[row],
                )
            going = (~ended).nonzero().flatten()
            if not len(going):
                return
            stack = stack.keep(going)
            f, tape = ensemble.forward(stack.weights, stack.x)
            error = f - stack.y
        gradients = _Gradients(ensemble, stack.weights, tape, error.div_(points))
        optimizer.step(stack.weights, stack.state, stack.numbers, gradients.add)
        log.line(step, rules.max_steps, residual, len(stack.index))


def _stack(
    weights: Sequence[Tensor],
    x: Tensor,
    y: Tensor,
    optimizer: ModuleType,
    numbers: Mapping[str, Tensor],
    rules: Rules,
) -> _Stack:
    networks = len(y)
    return _Stack(
        index=torch.arange(networks, device=y.device),
        x=x,
        y=y,
        start_square=y.new_empty(networks),
        residual_target=rules.residual.to(y),
        loss_target=rules.loss.to(y),
        losses=y.new_full((networks, len(rules.record_steps)), torch.nan),
        residual_steps=torch.full((networks, len(rules.record_residuals)), -1, device=y.device),
        weights=list(weights),
        state=optimizer.start(weights),
        # [E, 1, 1, 1]: broadcasts over copies and weights
        numbers={name: number.to(y).reshape(-1, 1, 1, 1) for name, number in numbers.items()},
    )


def _start_square(square: Tensor, y: Tensor) -> Tensor:
    """‖y − f₀‖²; 0 for a network that starts at the solution, up to rounding."""
    rounding = ROUNDINGS * torch.finfo(y.dtype).eps
    return torch.where(square <= rounding**2 * y.square().sum((1, 2)), 0, square)


def _residual(square: Tensor, start_square: Tensor) -> Tensor:
    """‖y − f‖/‖y − f₀‖; 0 for a network that starts at the solution."""
    return torch.where(start_square == 0, 0, (square / start_square).sqrt())


def _mark_first_steps(first: Tensor, residual: Tensor, levels: Sequence[float], step: int) -> None:
    for column, level in enumerate(levels):
        first[:, column] = torch.where((first[:, column] < 0) & (residual <= level), step, first[:, column])


def _flat(weights: Sequence[Tensor]) -> list[Tensor]:
    """[E, K, out, in] → [E·K, out, in], without a copy."""
    return [weight.flatten(0, 1) for weight in weights]


class _Progress:
    """A line at least every ten seconds: step, residual, networks still running, time left."""

    def __init__(self, networks: int) -> None:
        self.networks = networks
        self.begun = self.last = time.monotonic()
        self.last_step = 0

    def line(self, step: int, max_steps: int, residual: Tensor, running: int) -> None:
        now = time.monotonic()
        if now - self.last < LOG_SECONDS:
            return
        left = (max_steps - step) * (now - self.last) / max(step - self.last_step, 1)
        logger.info(
            "step %d: %d of %d networks running, largest residual %.1e, at most %.0f s left",
            step,
            running,
            self.networks,
            float(residual.max()),
            left,
        )
        self.last, self.last_step = now, step
