"""The flow of two-layer linear networks, whatever their width: what the bounds on them are tested on.

With Z = [V; U1] and B = Σx^{½}E both gradient descent and its flow (`minima.theory.linear_nets`) read

    Z ← (I + ηA) Z,   Ż = A Z,   A = [[0, Bᵀ], [B, 0]]

with A of rank 2m, so that a step on the narrow network costs (m + r)² numbers. The flow is integrated by
products of exponentials of such A (the commutator-free method of order four of Celledoni, Marthinsen and
Owren 2003): as eᴬ leaves Zᵀ diag(−I, I) Z = Λ alone, the imbalance is kept to rounding, whatever the step.

Times are those of L = ½‖Y − XUVᵀ‖².
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np

from minima.theory.linear_nets import Array, Net, Problem, error, excess_loss, product

SAFETY, SHRINK, GROW = 0.9, 0.2, 3.0  # bounds of the change of the step from one to the next
FIRST = 0.1  # first step, over the fastest rate at the start
MOST_STEPS = 100_000


def flow(problem: Problem, start: Net, times: Sequence[float], tolerance: float = 1e-10) -> Iterator[Net]:
    """Gradient flow: the network [...] at each of the ascending times. All networks take the same steps,
    those of the most demanding one. A step counts where E is wrong by at most `tolerance` · √(‖E‖ ‖E(0)‖):
    E can fall to tolerance² of its start before it drowns."""
    here, length = start, None
    for before, after in pairwise([0.0, *times]):
        time = before
        while time < after:
            here, passed, length = _step(problem, start, here, length, after - time, tolerance)
            time = after if passed >= after - time else time + passed
        yield here


def flow_limit(problem: Problem, start: Net, residual: float = 1e-10, tolerance: float = 1e-8) -> Net:
    """Where the flow goes: followed until ‖E‖ ≤ residual · ‖E(0)‖ in every network."""
    if residual < tolerance**2:
        raise ValueError(f"residual {residual:g} drowns in the error of a tolerance of {tolerance:g}")
    goal = residual * _norm(error(problem, start))
    here, length = start, None
    for _ in range(MOST_STEPS):
        if (_norm(error(problem, here)) <= goal).all():
            return here
        here, _, length = _step(problem, start, here, length, np.inf, tolerance)
    raise RuntimeError(f"the flow did not come to {residual:g} of its start in {MOST_STEPS} steps")


def _step(
    problem: Problem, start: Net, here: Net, length: float | None, longest: float, tolerance: float
) -> tuple[Net, float, float]:
    """The next network, the time it took, and the time to try next."""
    scale = np.sqrt(_norm(error(problem, here)) * _norm(error(problem, start)))
    if length is None:
        fastest = problem.roots[0] ** 2 * (_norm(here.v) ** 2 + np.linalg.norm(here.u1, 2, (-2, -1)) ** 2)
        length = FIRST / float(fastest.max())
    while True:
        passed = min(length, longest)
        ahead, rough = _fourth_order(problem, here, passed)
        wrong = float((_norm(error(problem, ahead) - error(problem, rough)) / scale).max())
        change = SAFETY * (tolerance / max(wrong, 1e-300)) ** 0.25 if np.isfinite(wrong) else SHRINK
        if wrong <= tolerance:
            ahead_of = passed * min(max(change, SHRINK), GROW)
            return ahead, passed, ahead_of if passed == length else max(length, ahead_of)
        length = passed * min(max(change, SHRINK), SAFETY)


def _fourth_order(problem: Problem, here: Net, time: float) -> tuple[Net, Net]:
    """A step of order four, and one of order three beside it."""
    b1 = time * _force(problem, here)
    second = _moved(here, b1 / 2)
    b2 = time * _force(problem, second)
    b3 = time * _force(problem, _moved(here, b2 / 2))
    b4 = time * _force(problem, _moved(second, b3 - b1 / 2))
    ahead = _moved(_moved(here, (3 * b1 + 2 * b2 + 2 * b3 - b4) / 12), (-b1 + 2 * b2 + 2 * b3 + 3 * b4) / 12)
    b5 = time * _force(problem, ahead)
    rough = _moved(_moved(here, (3 * b1 + 2 * b2 + 2 * b3 - b4) / 12), (-b1 + 2 * b2 + 2 * b3 + 3 * b5) / 12)
    return ahead, rough


def _force(problem: Problem, net: Net) -> Array:
    """B [..., r, m]."""
    return problem.roots[:, None] * error(problem, net)


def _moved(net: Net, b: Array) -> Net:
    """eᴬ Z, by the singular values of B [..., r, m]."""
    left, values, right = np.linalg.svd(b, full_matrices=False)
    along_v, along_u = right @ net.v, left.mT @ net.u1
    less, sinh = np.expm1(values) + np.expm1(-values), np.sinh(values)
    less, sinh = less[..., None] / 2, sinh[..., None]
    return Net(
        net.v + right.mT @ (less * along_v + sinh * along_u),
        net.u1 + left @ (less * along_u + sinh * along_v),
        net.u2,
    )


def _norm(matrix: Array) -> Array:
    return np.sqrt((matrix**2).sum((-2, -1)))


def distance(problem: Problem, net: Net) -> Array:
    """‖UVᵀ − Θ̂‖_F [...]."""
    seen, unseen = product(net)
    return np.sqrt(((seen - problem.minimum) ** 2).sum((-2, -1)) + (unseen**2).sum((-2, -1)))


def decay(problem: Problem, net: Net) -> Array:
    """−L̇/(L − L*) under the flow [...]: ‖V̇‖² + ‖U̇1‖² over L − L*."""
    force = problem.roots[:, None] * error(problem, net)
    speed = ((force.mT @ net.u1) ** 2).sum((-2, -1)) + ((force @ net.v) ** 2).sum((-2, -1))
    return speed / excess_loss(problem, net)
