"""How many steps training will take: from what like networks took, moved to the cell by theory.

A trajectory is what trained networks of one kind took, on the mean over their seeds. The package has recorded
ones (`trajectories.json`, by `python benchmarks/steps.py record`); a store adds its own. A cell takes what
the nearest of them took, each moved to the cell:

- by the rate. Descent at the share r of the stability edge and with momentum μ takes time r/(1 − μ) per step,
  Nesterov's schedule √r, AdaGrad η², the other adaptive methods η, a flow √tolerance.
- by the goal: along the trajectory's own residuals, beyond them exponentially, as the slowest mode falls.
- by points, width, depth, scale and batch: with the slopes that were fitted to the recorded ones.
"""

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from math import exp, hypot, isnan, log
from operator import mul, ne, sub
from pathlib import Path
from statistics import fmean
from typing import Any

from minima.plan import parts
from minima.plan.files import training_rows
from minima.plan.recipes import recipe_of

RECORDED = Path(__file__).with_name("trajectories.json")
NEAREST = 4
SOFTENING = 0.05  # a distance at which trajectories are as good as the cell's own
# How far a difference takes two kinds apart: per unit of a number, or for another word.
NUMBERS = {
    "points": 0.7,
    "width": 0.3,
    "depth": 0.7,
    "scale": 1.0,
    "batch": 0.4,
    "outputs": 0.3,
    "clock": 0.15,
}
WORDS = {
    "of": 2.0,
    "network": 1.5,
    "start": 1.0,
    "rate": 2.0,
    "source": 0.5,
    "optimizer": 0.5,
    "schedule": 0.5,
}
SHORT = 10  # steps: to stop so early is meant
WIDE = 4096  # where a network is nearly linear
DECADE = log(10)


@dataclass(frozen=True)
class Kind:
    """`Kind` is what networks have in common that take about as many steps: what must agree (`family`,
    `goal`, `loss`), what should (`words`), and numbers, logarithms but for the depth."""

    family: str  # of optimizers, whose steps keep the same time
    goal: str  # residual, loss or accuracy
    loss: str
    words: tuple[str, ...]  # in the order of WORDS
    numbers: tuple[float, ...]  # in the order of NUMBERS

    def distance(self, other: "Kind") -> float:
        apart = sum(map(mul, WORDS.values(), map(ne, self.words, other.words)))
        return apart + hypot(*map(mul, NUMBERS.values(), map(sub, self.numbers, other.numbers)))

    @property
    def clock(self) -> float:
        """Time per step."""
        return exp(self.numbers[-1])


@dataclass(frozen=True)
class Trajectory:
    """`Trajectory` is what `count` networks of a kind took on the mean."""

    kind: Kind
    target: float | None  # the goal's number; None where some ended without reaching it
    steps: float  # to their end
    reached: tuple[
        tuple[float, float], ...
    ]  # residual and steps, the residuals falling; the last one the end
    count: int = 1

    def steps_to(self, target: float) -> float:
        """`steps_to` returns the steps to a residual, or to another goal of this kind."""
        if target == self.target or not self.reached or self.kind.goal == "accuracy":
            return self.steps
        if self.kind.goal == "loss":
            if self.target is None:
                return self.steps
            return self.steps * log(1 / min(target, 0.5)) / log(1 / min(self.target, 0.5))
        logs = [(0.0, 0.0), *((-log(residual), steps) for residual, steps in self.reached if residual < 1)]
        wanted = -log(target)
        for (x0, k0), (x1, k1) in pairwise(logs):
            if wanted <= x1 and x1 > x0:
                return k0 + (k1 - k0) * (wanted - x0) / (x1 - x0)
        (x0, k0), (x1, k1) = _last_decade(logs)
        return k1 + (wanted - x1) * max(k1 - k0, 0.0) / max(x1 - x0, 1e-3)


def _last_decade(logs: Sequence[tuple[float, float]]) -> tuple[tuple[float, float], tuple[float, float]]:
    """The last point, and the last one that is a decade or more before it (the start where none is)."""
    end = logs[-1]
    return next((point for point in reversed(logs) if end[0] - point[0] >= 0.9 * DECADE), logs[0]), end


@dataclass(frozen=True)
class Outcome:
    """`Outcome` is what is stored of one trained cell."""

    cell: Mapping[str, Any]
    status: str
    steps: float
    residual: float
    levels: tuple[tuple[float, float], ...]  # recorded residual, and the first step at or below it or NaN
    run_steps: float | None = None  # of the linearized network; 0: closed form, NaN: not converged


def trajectories(outcomes: Iterable[Outcome]) -> list[Trajectory]:
    """`trajectories` returns what trained cells took, those of a kind together."""
    together: dict[tuple[Kind, float], list[Outcome]] = defaultdict(list)
    for one in outcomes:
        if one.status == "diverged" or one.cell["stop"]["max_steps"] < SHORT:
            continue
        with suppress(LookupError):  # of fields that another version of the config did not have
            for goal, target in goals(one.cell).items():
                together[kind_of(one.cell, goal), target].append(one)
    found = [_trajectory(kind, target, members) for (kind, target), members in together.items()]
    return found


def runs(outcomes: Iterable[Outcome]) -> list[Trajectory]:
    """`runs` returns what the linearized networks of trained cells took, those of a kind together."""
    together: dict[tuple[Kind, float], list[float]] = defaultdict(list)
    for one in outcomes:
        if one.run_steps is None or one.run_steps == 0:
            continue
        with suppress(LookupError):
            run = one.cell["linearized_run"]
            steps = run["max_steps"] if isnan(one.run_steps) else one.run_steps
            together[kind_of(one.cell, "residual", linearized=True), run["residual"]].append(steps)
    return [
        Trajectory(kind, target, mean, ((target, mean),), len(steps))
        for (kind, target), steps in together.items()
        for mean in [fmean(steps)]
    ]


def _trajectory(kind: Kind, target: float, members: Sequence[Outcome]) -> Trajectory:
    columns: dict[float, list[float]] = defaultdict(list)
    for one in members:
        for level, steps in one.levels:
            columns[level].append(steps)
    shared = sorted((level for level in columns if len(columns[level]) == len(members)), reverse=True)
    reached = [(level, fmean(columns[level])) for level in shared]
    end = exp(fmean(log(max(one.residual, 1e-15)) for one in members))
    steps = fmean(one.steps for one in members)
    on_the_way = [(level, k) for level, k in reached if level > end and k < steps]  # NaN, where some did not
    all_there = all(one.status == "converged" for one in members)
    levels = tuple((level, round(k, 1)) for level, k in [*on_the_way, (float(f"{end:.3g}"), steps)])
    return Trajectory(kind, target if all_there else None, round(steps, 1), levels, len(members))


class Known:
    """`Known` is what is known of like networks: trajectories to be asked, and the slopes between kinds."""

    def __init__(self, trajectories: Iterable[Trajectory], slopes: Mapping[str, Mapping[str, float]]) -> None:
        self.slopes = slopes
        self.by_family: dict[tuple[str, str, str], list[Trajectory]] = defaultdict(list)
        for one in trajectories:
            self.by_family[one.kind.family, one.kind.goal, one.kind.loss].append(one)
        self._asked: dict[tuple[Kind, float], float | None] = {}

    def with_more(self, trajectories: Iterable[Trajectory]) -> "Known":
        """`with_more` returns what is known together with other trajectories."""
        old = (one for family in self.by_family.values() for one in family)
        return Known([*old, *trajectories], self.slopes)

    def steps(self, kind: Kind, target: float) -> float | None:
        """`steps` returns how many steps a network of a kind takes to its goal, None where nothing is
        known."""
        if (kind, target) not in self._asked:
            self._asked[kind, target] = self._steps(kind, target)
        return self._asked[kind, target]

    def _steps(self, kind: Kind, target: float) -> float | None:
        like = self.by_family.get((kind.family, kind.goal, kind.loss), ())
        near = sorted(((kind.distance(one.kind), i) for i, one in enumerate(like)))[:NEAREST]
        if not near:
            return None
        closest = near[0][0]
        total = weights = 0.0
        for distance, i in near:
            weight = (
                like[i].count / (distance + SOFTENING) ** 2 if distance <= 3 * closest + SOFTENING else 0.0
            )
            total += weight * log(max(1.0, self._moved(like[i], kind, target)))
            weights += weight
        return exp(total / weights)

    def _moved(self, one: Trajectory, kind: Kind, target: float) -> float:
        slopes = self.slopes.get(kind.family, {})
        gaps = zip(NUMBERS, kind.numbers, one.kind.numbers, strict=True)
        grows = sum(slopes.get(name, 0.0) * (mine - its) for name, mine, its in gaps)
        return one.steps_to(target) * one.kind.clock / kind.clock * exp(grows)


@cache
def recorded() -> Known:
    """`recorded` returns what the package has recorded: the same on every machine, whatever was trained."""
    content = (
        json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {"slopes": {}, "rows": []}
    )
    return Known(map(from_json, content["rows"]), content["slopes"])


def from_json(row: Mapping[str, Any]) -> Trajectory:
    kind = row["kind"]
    return Trajectory(
        Kind(kind["family"], kind["goal"], kind["loss"], tuple(kind["words"]), tuple(kind["numbers"])),
        row["target"],
        row["steps"],
        tuple((residual, steps) for residual, steps in row["reached"]),
        row["count"],
    )


def expected_steps(cell: Mapping[str, Any], known: Known) -> float:
    """`expected_steps` returns how many steps a cell's training is expected to take."""
    last = float(cell["stop"]["max_steps"])
    found = (known.steps(kind_of(cell, goal), target) for goal, target in goals(cell).items())
    return min([last, *(steps for steps in found if steps is not None)])


def expected_run(cell: Mapping[str, Any], known: Known) -> float:
    """`expected_run` returns how many steps a cell's linearized network is expected to be trained."""
    kind, target = kind_of(cell, "residual", linearized=True), cell["linearized_run"]["residual"]
    return min(known.steps(kind, target) or 1e9, float(cell["linearized_run"]["max_steps"]))


def goals(cell: Mapping[str, Any]) -> dict[str, float]:
    """`goals` returns a cell's goals by kind; a training ends at the first that it reaches."""
    found = {name: cell["stop"][name] for name in ("residual", "loss", "accuracy")}
    return {name: goal for name, goal in found.items() if goal is not None}


def kind_of(cell: Mapping[str, Any], goal: str, linearized: bool = False) -> Kind:
    """`kind_of` returns the kind of a cell's network, or of its linearized network."""
    network, init, data, optimizer = (cell[name] for name in ("network", "init", "data", "optimizer"))
    name, rows, batch = optimizer["name"], training_rows(data), optimizer.get("batch_size")
    unit, clock = _rate(optimizer)
    word, width, depth = parts.declaration("models", network["kind"]).likeness(network)
    decays = optimizer.get("weight_decay", {}).get("strength")
    words = (
        "linearized" if linearized else "network",
        word,
        parts.declaration("inits", init["scheme"]).BEGINS,
        unit,
        f"{data['source']} {data['labels']}{' confused' if data['confusion'] else ''}",
        name,
        f"{optimizer.get('schedule', {'kind': 'constant'})['kind']}{' decays' if decays else ''}",
    )
    numbers = {
        "points": log(rows),
        "width": log(min(width, WIDE)),  # beyond, networks are linearized ones
        "depth": depth,
        "scale": log(init.get("scale", 1.0)),
        "batch": log((batch or rows) / rows),
        "outputs": log(recipe_of(data).output_count()),
        "clock": log(clock),
    }
    rounded = tuple(round(numbers[number], 4) for number in NUMBERS)  # as they are recorded
    return Kind(family_of(name), goal, cell["loss"], words, rounded)


def family_of(optimizer: str) -> str:
    """`family_of` returns the optimizers whose steps keep the same time."""
    return parts.declaration("optimizers", optimizer).family or optimizer


def _rate(optimizer: Mapping[str, Any]) -> tuple[str, float]:
    """`_rate` returns the unit of an optimizer's rate, and its time per step in that unit."""
    return parts.declaration("optimizers", optimizer["name"]).clock(optimizer)
