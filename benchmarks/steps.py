"""How long networks train: python benchmarks/steps.py record FOLDER … | measure NAME FOLDER | fare | draw

record   reads the stores of these results folders into workflow_scripts/minima/plan/trajectories.json: the
         mean trajectory of every kind of network, and the slopes of their lengths in points, width, depth,
         scale and batch, fitted within the kinds that agree in all words. `minima.plan.convergence` says what
         it is for. The recorded folders: that of benchmarks/steps.yaml (its first lines say how) and that of
         the default run.
measure  reads store and journal of a results folder into benchmarks/measured/NAME.json.gz: fields, steps and
         CPU seconds of each cell, against which tests/unit/plan/test_price.py holds the plan
fare     prints how these are priced: on an empty store, and when it has two seeds
draw     draws docs/price.svg: the packs of these, expected against measured
"""

import gzip
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache, cached_property
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import TypeAdapter

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))


from minima import store  # noqa: E402
from minima.data.sources.file import File  # noqa: E402
from minima.findings.outcomes import NAMES, outcomes  # noqa: E402
from minima.jobs.journal import entries  # noqa: E402
from minima.plan import parts  # noqa: E402
from minima.plan.convergence import (  # noqa: E402
    NUMBERS,
    RECORDED,
    Known,
    Outcome,
    Trajectory,
    goals,
    kind_of,
    recorded,
    runs,
    trajectories,
)
from minima.plan.cost import at_most, cost_of, expected  # noqa: E402
from minima.plan.digest import canonical  # noqa: E402
from minima.plan.packs import Pack, make_packs  # noqa: E402
from minima.plan.recipes import DataRecipe, Recipe  # noqa: E402

MEASURED = ROOT / "benchmarks" / "measured"
RUNS = {"default": "default run", "features_256": "256 features"}
PACK_SECONDS, MEMORY_MB = 600.0, 8000.0  # of the default config
SLOPES = [name for name in NUMBERS if name not in ("clock", "outputs")]
REFERENCE = 1e-3  # the residual at which lengths are compared
RIDGE = 1.0  # toward no slope: a number that hardly varies says little


RECIPE = TypeAdapter(DataRecipe)


class Table(File):
    """A file of the user that is gone; its number of features is left."""

    dimension: int

    def row_shape(self) -> tuple[int, ...]:
        return (self.dimension,)


@dataclass(frozen=True)
class Measured:
    """`Measured` is a trained cell as the plan sees cells, with what it took."""

    values: Mapping[str, Any]
    digest: str
    group: str
    outcome: Outcome
    cpu_seconds: float
    generation: int = 0

    def __getitem__(self, section: str) -> Any:
        return self.values[section]

    def shared(self, section: str) -> str:
        return canonical(self.values[section])

    @cached_property
    def of_any_seed(self) -> tuple[str, ...]:
        return tuple(self.shared(section) for section in self.values if section != "seed")

    def part(self, section: str) -> parts.Part:
        """`part` returns the options of the network or its init."""
        kind, tag = {"network": ("models", "kind"), "init": ("inits", "scheme")}[section]
        values = self.values[section]
        return parts.declaration(kind, values[tag]).model_construct(**values)

    @cached_property
    def recipe(self) -> Recipe:
        return _recipe(self.shared("data"))


@cache
def _recipe(data: str) -> Recipe:
    values = json.loads(data)
    return Table.model_validate(values) if values["source"] == "file" else RECIPE.validate_python(values)


def slopes(rows: Iterable[Trajectory]) -> dict[str, dict[str, float]]:
    """`slopes` returns family → number → slope of the logarithm of a trajectory's time to `REFERENCE`."""
    groups: dict[str, dict[tuple, list[Trajectory]]] = defaultdict(lambda: defaultdict(list))
    for row in rows:
        if row.kind.goal == "residual" and row.steps > 1:
            groups[row.kind.family][row.kind.loss, row.kind.words].append(row)
    found = {}
    for family, kinds in groups.items():
        xs, ys = [], []
        for members in kinds.values():
            numbers = [dict(zip(NUMBERS, m.kind.numbers, strict=True)) for m in members]
            x = np.array([[own[name] for name in SLOPES] for own in numbers])
            y = np.log([max(1.0, m.steps_to(REFERENCE)) * m.kind.clock for m in members])
            xs.append(x - x.mean(0))
            ys.append(y - y.mean())
        x, y = np.concatenate(xs), np.concatenate(ys)
        slope = np.linalg.solve(x.T @ x + RIDGE * np.eye(len(SLOPES)), x.T @ y)
        found[family] = {n: round(float(s), 2) for n, s in zip(SLOPES, slope, strict=True) if abs(s) > 0.01}
    return found


def record(found: Sequence[Outcome]) -> None:
    rows = [*trajectories(found), *runs(found)]
    lines = sorted(json.dumps(asdict(row), ensure_ascii=False) for row in rows)
    joined = ",\n".join(lines)
    text = f'{{"slopes": {json.dumps(slopes(rows))},\n"rows": [\n{joined}\n]}}\n'
    RECORDED.write_text(text, encoding="utf-8")
    print(f"{len(found)} cells, {len(rows)} trajectories in {RECORDED}")


def measure(name: str, folder: Path) -> None:
    written = [entry for path in sorted(folder.glob("journal/*.jsonl")) for entry in entries(path)]
    seconds = {entry["shard"]: entry["cpu_seconds"] / entry["cells"] for entry in written}
    stored = list(store.inventory(folder / "store", NAMES))
    together: dict[tuple[str, str], list] = defaultdict(list)
    for entry, one in zip(stored, outcomes(stored), strict=True):
        shard = f"{entry.shard.parent.name}/{entry.shard.name}"
        if shard in seconds:
            fields = {key: value for key, value in one.cell.items() if key != "seed"}
            if "path" in fields["data"]:  # a file is not kept, and its place is nobody's business
                own = File.model_validate(fields["data"])
                here = {"path": Path(own.name).name, "dimension": prod(own.expected_shape())}
                fields["data"] = fields["data"] | here
            row = [one.cell["seed"], entry.identity.cell, one.status, one.steps, _short(one.residual)]
            row += [[_short(steps) for _, steps in one.levels], _short(one.run_steps), _short(seconds[shard])]
            together[entry.shard.parent.name, canonical(fields)].append(row)
    content = [
        {"group": group, "fields": json.loads(fields), "cells": sorted(rows)}
        for (group, fields), rows in sorted(together.items())
    ]
    MEASURED.mkdir(exist_ok=True)
    text = json.dumps(content, separators=(",", ":"), ensure_ascii=False).encode()
    (MEASURED / f"{name}.json.gz").write_bytes(gzip.compress(text, mtime=0))
    print(f"{sum(map(len, together.values()))} cells in {MEASURED / name}.json.gz")


def _short(number: float | None) -> float | None:
    """Four digits; NaN, which JSON lacks, as −1."""
    if number is None:
        return None
    return -1.0 if np.isnan(number) else float(f"{number:.4g}")


def measured(name: str) -> list[Measured]:
    """`measured` returns the cells of a recorded run."""
    cells = []
    for group in json.loads(gzip.decompress((MEASURED / f"{name}.json.gz").read_bytes())):
        levels = sorted(group["fields"]["record"]["residuals"], reverse=True)
        for seed, digest, status, steps, residual, reached, run, cpu in group["cells"]:
            values = group["fields"] | {"seed": seed}
            found = tuple(zip(levels, map(_long, reached), strict=True))
            outcome = Outcome(values, status, steps, residual, found, _long(run))
            cells.append(Measured(values, digest, group["group"], outcome, cpu))
    return cells


def _long(number: float | None) -> float | None:
    return float("nan") if number == -1 else number


def unseen(cells: Iterable[Measured], known: Known | None = None) -> Known:
    """`unseen` returns what is known without the trajectories of these cells' kinds."""
    known = known or recorded()
    mine = {kind_of(cell.values, goal) for cell in cells for goal in goals(cell.values)}
    mine |= {kind_of(cell.values, "residual", linearized=True) for cell in cells}
    rows = [row for family in known.by_family.values() for row in family if row.kind not in mine]
    return Known(rows, known.slopes)


def after_two_seeds(cells: Sequence[Measured]) -> tuple[Known, list[Measured]]:
    """`after_two_seeds` returns what is known when the first two seeds of every kind are stored and nothing
    else of these cells is recorded, and the cells that are left to train."""
    seeds: dict[str, set[int]] = defaultdict(set)
    for cell in cells:
        seeds[_but_seed(cell)].add(cell["seed"])
    first = {fields: sorted(found)[:2] for fields, found in seeds.items()}
    stored = [cell.outcome for cell in cells if cell["seed"] in first[_but_seed(cell)]]
    left = [cell for cell in cells if cell["seed"] not in first[_but_seed(cell)]]
    return unseen(cells).with_more([*trajectories(stored), *runs(stored)]), left


def _but_seed(cell: Measured) -> str:
    return canonical({key: value for key, value in cell.values.items() if key != "seed"})


def packs_of(cells: Iterable[Measured]) -> list[Pack]:
    """`packs_of` returns the packs that the default config would make of cells."""
    return list(make_packs(cells, PACK_SECONDS, MEMORY_MB).values())


def spent(cells: Iterable[Measured]) -> float:
    return sum(cell.cpu_seconds for cell in cells)


def price(cells: Iterable[Measured], known: Known) -> float:
    return cost_of(cells, expected(known)).seconds


def fare(name: str) -> Iterator[str]:
    """`fare` yields, for each state of the store, the total price of a recorded run over what it took, and
    how many of its packs are priced within a factor of two."""
    cells = measured(name)
    for state, known, some in (("empty", recorded(), cells), ("two seeds", *after_two_seeds(cells))):
        packs = packs_of(some)
        if not packs:
            continue
        prices = [price(pack.cells, known) for pack in packs]
        ratios = [expected / spent(pack.cells) for expected, pack in zip(prices, packs, strict=True)]
        within = sum(0.5 < ratio < 2 for ratio in ratios) / len(packs)
        most = sum(pack.at_most.seconds for pack in packs) / spent(some)
        yield (
            f"{name}, store: {state}: {len(some)} cells in {len(packs)} packs took {spent(some):.0f} CPU "
            f"seconds; expected {sum(prices) / spent(some):.2f} times that, at most {most:.1f} times; "
            f"{within:.0%} of packs within a factor of 2"
        )


def draw(path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    empty, two = figure.subplots(1, 2, sharex=True, sharey=True)
    for (name, label), colour in zip(RUNS.items(), ("C0", "C1"), strict=True):
        if not (MEASURED / f"{name}.json.gz").exists():
            continue
        cells = measured(name)
        known, left = after_two_seeds(cells)
        for axes, some, what in ((empty, cells, recorded()), (two, left, known)):
            packs = packs_of(some)
            took = [spent(pack.cells) for pack in packs]
            axes.scatter(took, [price(pack.cells, what) for pack in packs], color=colour, label=label)
            if axes is empty:
                most = [cost_of(pack.cells, at_most).seconds for pack in packs]
                axes.scatter(took, most, color=colour, marker="_", alpha=0.5)
    for axes, title in ((empty, "empty store (dashes: at most)"), (two, "two seeds stored")):
        ends = np.array([0.05, 2e4])
        axes.plot(ends, ends, color="grey", linewidth=0.8)
        for factor in (0.5, 2):
            axes.plot(ends, factor * ends, color="grey", linewidth=0.8, linestyle=":")
        axes.set(xscale="log", yscale="log", title=title, xlabel="measured CPU seconds of a pack")
    empty.set(ylabel="expected seconds")
    empty.legend()
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", first, *others]:
            folders = [Path(folder) for folder in (first, *others)]
            record(
                [one for where in folders for one in outcomes(list(store.inventory(where / "store", NAMES)))]
            )
        case ["measure", name, folder]:
            measure(name, Path(folder))
        case ["fare"]:
            for name in RUNS:
                print(*fare(name), sep="\n")
        case ["draw"]:
            draw(ROOT / "docs" / "price.svg")
        case _:
            sys.exit(__doc__)
