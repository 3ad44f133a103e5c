"""How finite steps take the imbalance D of two linear layers away from its start, to first order.

    D(t+1) − D(t) = η² (VᵀGᵀG V − U1ᵀG Gᵀ U1)    for L = ½‖Y − X U Vᵀ‖², G = XᵀE
    D(∞) − D(0) = ηJ + O(η²),   J = ∫ (VᵀGᵀG V − U1ᵀG Gᵀ U1) dt   along the gradient flow

in the coordinates of `minima.theory.linear_nets`. The flow keeps D; a step of gradient descent moves it by η²
times the integrand, and 1/η steps pass in a unit of time.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import DOP853

from minima.theory.linear_nets import Net, Problem, error

Array = NDArray[np.float64]
RELATIVE, ABSOLUTE = 1e-11, 1e-13  # errors of a step in the weights, and beside them over their norm
END = 1e-9  # of ‖E‖ over its start: what is left of J is of the order of its square
MOST_STEPS = 50_000


def drift(problem: Problem, start: Net) -> Array:
    """`drift` returns J [k, k] of one network; NaN where the flow does not reach the least loss."""
    shapes = start.v.shape, start.u1.shape, (start.v.shape[-1],) * 2
    ends = np.cumsum([np.prod(shape) for shape in shapes])

    def parts(flat: Array) -> list[Array]:
        return [part.reshape(shape) for part, shape in zip(np.split(flat, ends[:-1]), shapes, strict=True)]

    def off(v: Array, u1: Array) -> Array:
        return error(problem, Net(v, u1, start.u2))

    def slope(_: float, flat: Array) -> Array:
        v, u1, _ = parts(flat)
        force = problem.roots[:, None] * off(v, u1)
        to_v, to_u = force.T @ u1, force @ v
        return np.concatenate([to_v.ravel(), to_u.ravel(), (to_u.T @ to_u - to_v.T @ to_v).ravel()])

    flat = np.concatenate([start.v.ravel(), start.u1.ravel(), np.zeros(shapes[2]).ravel()])
    first = np.linalg.norm(off(start.v, start.u1))
    if first == 0:
        return np.zeros(shapes[2])
    if not start.v.any() and not start.u1.any():  # a saddle
        return np.full(shapes[2], np.nan)
    # Of J at least what gathers at the speed of the start while the fastest mode falls.
    fastest = problem.roots[0] ** 2 * (np.linalg.norm(start.v, 2) ** 2 + np.linalg.norm(start.u1, 2) ** 2)
    of_weights = ABSOLUTE * np.linalg.norm(flat)
    of_drift = RELATIVE * np.linalg.norm(slope(0.0, flat)[ends[1] :]) / fastest
    allowed = np.repeat([of_weights, of_drift], [ends[1], ends[2] - ends[1]])
    solver = DOP853(slope, 0.0, flat, np.inf, rtol=RELATIVE, atol=allowed)
    for _ in range(MOST_STEPS):
        solver.step()
        v, u1, found = parts(solver.y)
        if solver.status == "failed":
            break
        if np.linalg.norm(off(v, u1)) <= END * first:
            return found
    return np.full(shapes[2], np.nan)
