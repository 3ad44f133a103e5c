"""Fits the cost model to recorded jobs: python benchmarks/cost.py record | fit | draw

record   reads benchmark files and journals of a run of benchmarks/cost.yaml (its first lines say how) into
         benchmarks/cost.json: a row per job, with a cell of that config, how many, CPU seconds and memory
fit      prints the coefficients for `minima.plan.cost` that fit the study `cost`; how it and `held_out` fare
draw     draws docs/cost.svg: predicted, with the coefficients that `minima.plan.cost` has, against measured

CPU seconds of the training itself, which a busy machine changes least. They are the journal's: Snakemake's
benchmark files sample a job's CPU time every half minute and miss what comes after. Memory is theirs.
"""

import csv
import json
import sys
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import yaml

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from minima.jobs.journal import entries  # noqa: E402
from minima.plan import cost  # noqa: E402
from minima.plan.workplan import Plan  # noqa: E402

ROWS = ROOT / "benchmarks" / "cost.json"


def planned() -> Plan:
    return Plan(yaml.safe_load((ROOT / "benchmarks" / "cost.yaml").read_text()))


def record(folders: Sequence[Path]) -> list[dict[str, Any]]:
    """A row per job that trained its whole pack, in any of these results folders."""
    plan = planned()
    places = {
        cell.digest: [study, block, place]
        for (study, block), grid in plan.grids.items()
        for place, cell in enumerate(grid.cells)
    }
    rows = []
    for folder, (name, pack) in product(folders, sorted(plan.packs.items())):
        benchmark = folder / "benchmarks" / "train_pack" / f"{name}.tsv"
        written = list(entries(folder / "journal" / f"{name}.jsonl"))
        if sum(entry["cells"] for entry in written) == len(pack.cells):
            with benchmark.open() as file:
                (job,) = csv.DictReader(file, delimiter="\t")
            rows.append(
                {
                    "cell": min(places[cell.digest] for cell in pack.cells),
                    "cells": len(pack.cells),
                    "cpu_seconds": round(sum(entry["cpu_seconds"] for entry in written), 3),
                    "memory_mb": float(job["max_rss"]),
                }
            )
    return rows


def rows_of(study: str) -> list[dict[str, Any]]:
    """Recorded jobs of a study, each with one of its cells, which are alike."""
    grids = planned().grids
    rows = [row for row in json.loads(ROWS.read_text()) if row["cell"][0] == study]
    return [row | {"cell": grids[study, row["cell"][1]].cells[row["cell"][2]]} for row in rows]


def work_of(row: dict[str, Any]) -> dict[str, float]:
    """What the job had to do, by coefficient; its cells are alike."""
    amounts = {
        name: row["cells"] * amount
        for name, amount in cost.work(row["cell"], cost.as_recorded(row["cell"])).items()
    }
    if "stack_step" in amounts:
        amounts["stack_step"] = max(amounts["stack_step"], row["cell"]["stop"]["max_steps"])
    return amounts


def is_flow(row: dict[str, Any]) -> bool:
    """`is_flow` returns whether a job's steps are not told by its config."""
    return row["cell"]["optimizer"]["name"] == "flow"


def predicted_seconds(row: dict[str, Any], coefficients: dict[str, float]) -> float:
    return sum(coefficients[name] * amount for name, amount in work_of(row).items())


def predicted_memory(row: dict[str, Any]) -> float:
    return cost.job_memory_mb(cost.Cost(memory_mb=row["cells"] * cost.cell_cost(row["cell"]).memory_mb))


def fit(rows: list[dict[str, Any]]) -> dict[str, float]:
    """Least squares of the logarithms, over positive coefficients, held a little to where they are now."""
    from scipy.optimize import least_squares

    rows = [
        row for row in rows if row["cell"]["optimizer"]["name"] != "flow"
    ]  # whose steps are expected ones
    names = list(cost.SECONDS)
    start = np.log([cost.SECONDS[name] for name in names])
    works = np.array([[work_of(row).get(name, 0.0) for name in names] for row in rows])
    measured = np.log([row["cpu_seconds"] for row in rows])

    def misfit(logs: np.ndarray) -> np.ndarray:
        return np.concatenate([np.log(works @ np.exp(logs)) - measured, 0.03 * (logs - start)])

    return {name: float(np.exp(log)) for name, log in zip(names, least_squares(misfit, start).x, strict=True)}


def report(rows: list[dict[str, Any]], coefficients: dict[str, float]) -> str:
    ratios = np.array([predicted_seconds(row, coefficients) / row["cpu_seconds"] for row in rows])
    memory = np.array([predicted_memory(row) / row["memory_mb"] for row in rows])
    within = np.mean((ratios > 0.5) & (ratios < 2))
    return (
        f"{within:.0%} of {len(rows)} jobs within a factor of 2 ({ratios.min():.2f} to {ratios.max():.2f}), "
        f"memory predicted over measured {memory.min():.2f} to {memory.max():.2f}"
    )


def draw(path: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 4), layout="constrained")
    time, memory = figure.subplots(1, 2)
    for part, marker in {"cost": "o", "held_out": "x"}.items():
        rows = rows_of(part)
        seconds = [predicted_seconds(row, cost.SECONDS) for row in rows]
        time.scatter([row["cpu_seconds"] for row in rows], seconds, marker=marker, label=part)
        memory.scatter([row["memory_mb"] for row in rows], list(map(predicted_memory, rows)), marker=marker)
    for axes, what, least, band in ((time, "CPU seconds", 0.05, 2), (memory, "memory (MB)", 200, 1.2)):
        ends = np.array([least, 1.3 * max(axes.get_xlim()[1], axes.get_ylim()[1])])
        axes.plot(ends, ends, color="grey", linewidth=0.8)
        axes.plot(ends, ends / band, color="grey", linewidth=0.8, linestyle=":", label=f"a factor of {band}")
        axes.set(xlim=ends, ylim=ends)
        axes.set(xlabel=f"measured {what}", ylabel=f"predicted {what}")
    time.plot([0.05, ends[1]], [0.1, 2 * ends[1]], color="grey", linewidth=0.8, linestyle=":")
    time.set(xscale="log", yscale="log")
    time.legend()
    figure.savefig(path)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", *where]:
            recorded = record([Path(folder) for folder in where] or [ROOT / "results" / "cost"])
            ROWS.write_text(json.dumps(recorded, indent=1, sort_keys=True) + "\n")
            print(f"{len(recorded)} jobs in {ROWS}")
        case ["fit"]:
            found = fit(rows_of("cost"))
            for name, value in found.items():
                print(f'    "{name}": {value:.2g},')
            print("cost:", report(rows_of("cost"), found))
            print("held_out:", report(rows_of("held_out"), found))
        case ["draw"]:
            draw(ROOT / "docs" / "cost.svg")
        case _:
            sys.exit(__doc__)
