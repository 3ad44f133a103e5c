"""Bounds on descent of two linear layers, of networks at the start of their training."""

from collections.abc import Callable, Mapping
from typing import Any

from minima.engine.state import State
from minima.theory.descent_bound import Constants, constants, decay
from minima.theory.linear_states import networks_of


def allowed(state: State, step: Callable[..., Any], options: Mapping[str, Any]) -> float:
    """`allowed` returns the learning rate N η of the step that a theorem allows one network, by its constants
    and by c1 and c2 of `options`, where there are these. Raises `ValueError` where it allows none."""
    start = _constants(state)
    found = float(step(start, *(options[name] for name in ("c1", "c2") if name in options)))
    if not found > 0:
        rate = f"optimizer.lr: {options['rate']}"
        known = f"α0 is {float(start.alpha):.3g} and p1 {float(start.least_product):.3g}"
        raise ValueError(
            f"{rate} allows no step: {known} at a network's start; start nearer to the targets, or with more "
            "imbalance between the layers"
        )
    return state.x.shape[1] * found


def numbers(options: Mapping[str, Any], state: State) -> dict[str, float]:
    """`numbers` returns what the optimizer `descent_bound` asks of one network's start: the coefficients of
    the bound in units of the training loss."""
    bound = decay(_constants(state), options["c1"], options["c2"]).per_point(state.x.shape[1])
    return {f"bound.{name}": float(value) for name, value in bound._asdict().items()}


def _constants(state: State) -> Constants:
    return constants(*next(networks_of(state)))
