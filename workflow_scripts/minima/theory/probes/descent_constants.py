"""Constants of the bounds on gradient descent at finite steps, of two linear layers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import ProbeOfLinearDescent

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.state import State

SAME_IN = ("narrow",)
ONCE = True


class DescentConstants(ProbeOfLinearDescent):
    """p1, p2, α0 (printed, covered by its proof), β0, μ, K, σmin(W), σmax(W) at the first recorded step."""

    dims = ("constant",)


def measure(state: State) -> Tensor:
    """`measure` returns [E, 9] of networks taken as starts: p1, p2, α0 as printed and as the proof covers it,
    β0, μ, K of Xu et al. (2023), and the least and largest singular value of the product W, on what the
    points see. In units of L = ½‖y − f‖², N times the training loss, whose step is the learning rate over
    N."""
    from numpy.linalg import svd

    from minima.theory.descent_bound import constants
    from minima.theory.linear_nets import Net, Problem, product
    from minima.theory.linear_states import measured

    def numbers(data: Problem, here: Net) -> list[float]:
        now = constants(data, here)
        sizes = svd(product(here)[0], compute_uv=False)
        bounds = now.least_product, now.most_product, now.alpha, now.covered, now.beta, now.mu, now.largest
        return [*map(float, bounds), float(sizes[-1]), float(sizes[0])]

    return measured(state, numbers)
