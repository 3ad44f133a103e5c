"""Gradient flow of linearized networks under any loss, in function space: on the training points

    dβ/dt = e(f),   f = f₀ + Kβ,   e = −N ∂L/∂f,

with K = Θ for u = Jᵀβ, and K = JDJᵀ for u = DJᵀβ; t is learning rate × steps, over N.

Stiff: the rates of HK, H = −∂e/∂f, range over what the eigenvalues of K do and fall with the loss, so that
under a loss without minimizer time grows as 1/L. The steps are those of RODAS (Hairer and Wanner, Solving
ODEs II, IV.7), L-stable and of order 4: one factorization of 1/(γh) + HK each, at any length. A step's error
is measured as ‖Δu‖ = √(ΔβᵀKΔβ) over the ‖u‖ travelled so far, which bounds that of f(x) at every x. Under a
convex loss the flow brings neighbours together in that norm, so that errors at most add up; measured they do
not, as a step is better than its estimate: the end is wrong by less than 2e-6 under a tolerance of 1e-5.

E networks at once, each with steps of its own; m = n·o.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from minima.theory.losses import Objective

TOLERANCE = 1e-5  # of a step
FIRST = 0.1  # first step, in units of the time in which the loss would fall to 0
SAFETY, SHRINK, GROW = 0.9, 0.2, 6.0
MOST = 500  # steps
STILL = 1e-12  # what stands still moves by less of ‖u‖ in a step
BISECTIONS = 60

GAMMA = 0.25
POINTS = (  # where each stage takes e, in the stages before it
    (),
    (1.544,),
    (0.9466785280815826, 0.2557011698983284),
    (3.314825187068521, 2.896124015972201, 0.9986419139977817),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950),
    (1.221224509226641, 6.019134481288629, 12.53708332932087, -0.6878860361058950, 1.0),
)
PULLED = (  # and what is added to it
    (),
    (-5.6688,),
    (-2.430093356833875, -0.2063599157091915),
    (-0.1073529058151375, -9.594562251023355, -20.47028614809616),
    (7.496443313967647, -10.24680431464352, -33.99990352819905, 11.70890893206160),
    (8.083246795921522, -7.981132988064893, -31.52159432874371, 16.31930543123136, -6.058818238834054),
)
INNER = (  # the two inner vectors of a step, of order 3
    (10.12623508344586, -7.487995877610167, -34.80091861555747, -7.992771707568823, 1.025137723295662),
    (-0.6762803392801253, 6.087714651680015, 16.43084320892478, 24.76722511418386, -6.594389125716872),
)


@dataclass(frozen=True)
class Descent:
    """`Descent` holds the flows of E linearized networks."""

    kernel: Tensor  # K [E, m, m]
    start: Tensor  # f₀ [E, n, o]
    objective: Objective

    def f(self, dual: Tensor) -> Tensor:
        """`f` returns f₀ + Kβ [E, n, o] for β [E, m]."""
        return self.start + self.moved(dual)

    def moved(self, dual: Tensor) -> Tensor:
        """`moved` returns Kβ [E, n, o]."""
        return (self.kernel @ dual[:, :, None]).view_as(self.start)

    def of(self, rows: Tensor) -> "Descent":
        """`of` returns the flows of some of the networks."""
        if len(rows) == len(self.start):
            return self
        return Descent(self.kernel[rows], self.start[rows], self.objective.of(rows))

    def size(self, dual: Tensor, moved: Tensor) -> Tensor:
        """`size` returns ‖u‖ [E] for β and Kβ."""
        return (dual * moved.flatten(1)).sum(1).clamp(min=0).sqrt()

    def first(self) -> Tensor:
        """`first` returns the length of a first step [E]; ∞ where nothing moves."""
        force, value = self.objective.pull(self.start).flatten(1), self.objective.value(self.start)
        return FIRST * value * self.start.shape[1] / self.size(force, self.moved(force)).square()

    def step(self, dual: Tensor, length: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """`step` takes a step of h [E] from β [E, m]: the new β, the two inner vectors [E, 2, m], and the
        error ‖Δu‖ [E]."""
        f = self.f(dual)
        found: list[Tensor] = []
        factors = torch.linalg.lu_factor(self._matrix(f, length))
        for points, pulled in zip(POINTS, PULLED, strict=True):
            end = dual + _sum(points, found) if found else dual
            right = self.objective.pull(self.f(end) if found else f).flatten(1)
            right = right + _sum(pulled, found) / length[:, None] if found else right
            found.append(torch.linalg.lu_solve(*factors, right[:, :, None])[:, :, 0])
        wrong = self.size(found[-1], self.moved(found[-1]))
        return end + found[-1], torch.stack([_sum(inner, found) for inner in INNER], dim=1), wrong

    def _matrix(self, f: Tensor, length: Tensor) -> Tensor:
        """1/(γh) + HK [E, m, m]."""
        bent, rows = self.objective.bend(f), self.kernel.unflatten(1, f.shape[1:])
        matrix = (bent @ rows).flatten(1, 2)
        matrix.diagonal(dim1=1, dim2=2).add_(1 / (GAMMA * length)[:, None])
        return matrix


def _sum(numbers: tuple[float, ...], vectors: list[Tensor]) -> Tensor:
    return sum(number * vector for number, vector in zip(numbers, vectors, strict=False))


@dataclass(frozen=True)
class Path:
    """`Path` is what `descend` followed: for each network its steps, those of length 0 among them."""

    begins: Tensor  # [steps, E]
    lengths: Tensor  # [steps, E]
    vectors: Tensor  # [steps, E, 4, m]: β at begin and end, and the two inner vectors
    time: Tensor  # of the end [E]
    met: Tensor  # whether the goal was met there [E]

    @property
    def steps(self) -> Tensor:
        """`steps` returns how many steps each network took [E]."""
        return (self.lengths > 0).sum(0).to(self.time)

    def dual(self, time: Tensor) -> Tensor:
        """`dual` returns β [E, m] at times [E]."""
        networks = torch.arange(len(time), device=time.device)
        step = (self.begins + self.lengths < time).sum(0).clamp(max=len(self.begins) - 1)
        length = self.lengths[step, networks]
        share = torch.where(length > 0, (time - self.begins[step, networks]) / length, 0)[:, None]
        begin, end, second, third = self.vectors[step, networks].unbind(1)
        return (1 - share) * begin + share * (end + (1 - share) * (second + share * third))


def descend(
    descent: Descent,
    longest: Tensor,
    met: Callable[[Tensor], Tensor] | None = None,
    tolerance: float = TOLERANCE,
) -> Path:
    """`descend` follows flows from f₀ until met(f) [E] holds of f [E, n, o], for `longest` [E] at most."""
    time, dual = torch.zeros_like(longest), torch.zeros_like(descent.kernel[:, 0])
    there = torch.zeros_like(longest, dtype=torch.bool) if met is None else met(descent.start)
    trial = descent.first()
    going = ~there & (longest > 0) & (trial > 0) & trial.isfinite()
    nothing = torch.stack([dual] * 4, dim=1)
    begins, lengths, vectors = [time], [time], [nothing]
    while going.any() and len(begins) <= MOST:
        rows = (going.nonzero()[:, 0],)
        own, old = descent.of(*rows), dual[rows]
        length = torch.minimum(trial, longest - time)[rows]
        new, inner, wrong = own.step(old, length)
        size, moved = (own.size(each, own.moved(each)) for each in (new, new - old))
        relative = wrong / (tolerance * size)
        good = relative <= 1  # not where it is NaN
        change = (SAFETY * relative**-0.25).clamp(SHRINK, GROW).nan_to_num(SHRINK)
        begins.append(time)
        lengths.append(torch.zeros_like(time).index_put(rows, torch.where(good, length, 0)))
        vectors.append(nothing.index_put(rows, torch.stack([old, new, *inner.unbind(1)], dim=1)))
        trial = trial.index_put(rows, length * change)
        dual = dual.index_put(rows, torch.where(good[:, None], new, old))
        time = time + lengths[-1]
        there = there if met is None else there | met(descent.f(dual))
        going = going.index_put(rows, ~(good & (moved <= STILL * size))) & ~there & (time < longest)
    path = Path(*map(torch.stack, (begins, lengths, vectors)), time, there)
    return (
        path
        if met is None
        else landed(descent, path, met, torch.where(path.lengths > 0, path.begins, 0).amax(0))
    )


def landed(descent: Descent, path: Path, met: Callable[[Tensor], Tensor], low: Tensor) -> Path:
    """`landed` ends a path at the first time after `low` [E] when met(f) holds, where it comes to that."""
    high = path.time
    for _ in range(BISECTIONS):
        middle = (low + high) / 2
        there = met(descent.f(path.dual(middle)))
        low, high = torch.where(there, low, middle), torch.where(there, middle, high)
    return replace(path, time=high)
