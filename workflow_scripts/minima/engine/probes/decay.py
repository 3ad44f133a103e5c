"""Rate at which gradient flow lowers the log of the loss, −L̇/L = ‖∂L/∂W‖²/L."""

from torch import Tensor

from minima.engine.state import State, norms

SAME_IN = ("narrow",)


def measure(state: State) -> Tensor:
    """`measure` returns the rate [E], in units of 1/(learning rate × steps)."""
    loss, gradient = state.gradient(state.weights)
    return sum(norms(part).square() for part in gradient) / loss
