"""What large grids cost before and after training: python benchmarks/scale.py [CELLS …]

For each number of cells (1000, 10 000 and 100 000): the plan, Snakemake's DAG (a dry run), `snakemake plan`
and the aggregation, in seconds of CPU time and megabytes at their peak, each in a process of its own; a job's
question to the store; and the number of files under results/. Nothing is trained: store and packs are filled
with made-up cells, by the code that writes the real ones.

    python benchmarks/scale.py --price CELLS

prints what `snakemake plan` says of training such a grid on an empty store.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
SNAKEMAKE = Path(sys.executable).parent / "snakemake"
WIDTHS, SCALES, RATES = 20, 5, 5


def config(cells: int) -> dict:
    """A grid of so many cells, of 500 at least."""
    return {
        "claims": None,
        "data": {"digits": {"source": "digits", "classes": [3, 8], "train_size": 20, "test_size": 50}},
        "studies": {
            "large": {
                "blocks": {
                    "main": {
                        "data": "digits",
                        "axes": {
                            "network.width": list(range(16, 16 + WIDTHS)),
                            "init.scale": list(range(1, 1 + SCALES)),
                            "optimizer.lr": [0.1 * 2**-i for i in range(RATES)],
                        },
                        "seed": {"start": 0, "count": cells // (WIDTHS * SCALES * RATES)},
                        "stop": {"max_steps": 20_000},
                    }
                }
            }
        },
    }


def plan(raw: dict) -> dict:
    from minima.plan.workplan import Plan

    plan = Plan(raw)
    stamps = [plan.stamps.pack(pack) for pack in plan.packs]
    return {"packs": len(stamps)}


def fill(raw: dict) -> None:
    """Data, store and packs as if all had been trained."""
    import numpy as np

    from minima import store
    from minima.data.files import save, split_digests
    from minima.data.prepare import prepared
    from minima.jobs import pack_file
    from minima.jobs.train_pack import identities
    from minima.plan.files import data_file
    from minima.plan.fingerprint import code_used, training_modules
    from minima.plan.grid import by_group
    from minima.plan.marks import variables
    from minima.plan.workplan import Plan
    from minima.training.recording import coordinates

    plan, rng = Plan(raw), np.random.default_rng(0)
    digests = {}
    for file in plan.data_files.values():
        save(prepared(file.recipe, file.splits, Path()), plan.paths.data(file.name))
        digests |= split_digests(Path(plan.paths.data(file.name)))
    for pack in plan.packs.values():
        parts = []
        for group, cells in by_group(pack.cells).items():
            shared = coordinates(cells[0].values)
            modules = code_used(training_modules(cells[0].values))
            wanted = identities(cells, digests, {})
            rows = [(wanted[cell.digest], _made_up(cell, len(shared["step"]), rng)) for cell in cells]
            store.write(Path(plan.paths.store), group, rows, shared, modules, variables())
            parts.append(store.to_dataset(rows, shared, variables()))
        pack_file.write(parts, Path(plan.paths.pack(pack.name)))
        # what a job leaves beside
        for path in ("log", "benchmark"):
            left = Path(getattr(plan.paths, path)("train_pack", pack.name))
            left.parent.mkdir(parents=True, exist_ok=True)
            left.touch()
        journal = Path(plan.paths.journal(pack.name))
        journal.parent.mkdir(parents=True, exist_ok=True)
        journal.touch()
    assert data_file(next(iter(plan.cells.values()))).name in plan.data_files


def _made_up(cell, steps: int, rng) -> dict:
    rows, test_rows = cell["data"]["train_size"], cell["data"]["test_size"]
    return {
        "status": "converged",
        "device": "cpu",
        "steps": 100,
        "residual": 0.001,
        "learning_rate": 0.1,
        "loss": rng.random(steps),
        "residual_steps": rng.random(len(cell["record"]["residuals"])),
        "start_train": rng.random((rows, 1)),
        "start_test": rng.random((test_rows, 1)),
        "train": rng.random((rows, 1)),
        "test": rng.random((test_rows, 1)),
        "start_norm": rng.random(2),
        "norm": rng.random(2),
        "distance": rng.random(2),
    }


def lookup(raw: dict) -> dict:
    """What the job of the largest pack asks the store of its largest group."""
    from minima import store
    from minima.data.files import split_digests
    from minima.jobs.train_pack import identities
    from minima.plan.grid import by_group
    from minima.plan.workplan import Plan

    plan = Plan(raw)
    pack = max(plan.packs.values(), key=lambda pack: len(pack.cells))
    digests = {}
    for name in plan.data_files:
        digests |= split_digests(Path(plan.paths.data(name)))
    import time

    begun = time.process_time()
    group, cells = max(by_group(pack.cells).items(), key=lambda item: len(item[1]))
    found = store.look_up(Path(plan.paths.store), group, identities(cells, digests, {}), "same_code")
    assert store.read([found[cell.digest] for cell in cells]).sizes["cell"] == len(cells)
    return {"cells": len(cells), "seconds": time.process_time() - begun}


def foretell(raw: dict) -> dict:
    from minima.findings.forecast import forecast
    from minima.plan.workplan import Plan

    found = forecast(Plan(raw))
    assert found.studies["large"]["cached"] == len(Plan(raw).cells)
    return {}


def price(raw: dict) -> dict:
    from minima.findings.forecast import describe, forecast
    from minima.plan.workplan import Plan

    print(describe(forecast(Plan(raw))))
    return {}


def aggregate(raw: dict) -> dict:
    from minima.findings.dataset import write_study
    from minima.plan.workplan import Plan

    plan = Plan(raw)
    packs = [Path(plan.paths.pack(name)) for name in plan.packs_of("large")]
    data = [Path(plan.paths.data(name)) for name in plan.data_of_study("large")]
    write_study(plan, "large", packs, data, [], Path(plan.paths.dataset("large")))
    return {}


def measured(*command: object) -> tuple[float, float, str]:
    """CPU seconds, peak megabytes and output of a process and its children."""
    watch = (
        "import json, resource, subprocess, sys\n"
        "done = subprocess.run(sys.argv[1:], capture_output=True, text=True)\n"
        "used = resource.getrusage(resource.RUSAGE_CHILDREN)\n"
        "assert done.returncode == 0, done.stdout + done.stderr\n"
        "print(json.dumps([used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, done.stdout]))"
    )
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow_scripts"), "OMP_NUM_THREADS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", watch, *map(str, command)],
        env=environment, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        sys.exit(done.stderr)
    seconds, megabytes, output = json.loads(done.stdout)
    return seconds, megabytes, output


def main(sizes: list[int]) -> None:
    print("| cells | packs | plan | dry run | snakemake plan | store lookup | aggregation | files |")
    print("|---|---|---|---|---|---|---|---|")
    for cells in sizes:
        with tempfile.TemporaryDirectory() as folder:
            raw = config(cells) | {"results": f"{folder}/results"}
            file = Path(folder) / "config.json"
            file.write_text(json.dumps(raw))

            def step(name: str, file: Path = file) -> tuple[str, dict]:
                seconds, megabytes, output = measured(sys.executable, __file__, "--step", name, file)
                return f"{seconds:.1f} s, {megabytes:.0f} MB", json.loads(output.splitlines()[-1])

            planned, facts = step("plan")
            seconds, megabytes, _ = measured(
                SNAKEMAKE, "--snakefile", ROOT / "Snakefile", "--directory", folder, "--cores", 1,
                "--dry-run", "--quiet", "all", "--replace-workflow-config", "--configfile", file,
            )  # fmt: skip
            dry_run = f"{seconds:.1f} s, {megabytes:.0f} MB"
            step("fill")
            foretold, _ = step("foretell")
            _, asked = step("lookup")
            aggregated, _ = step("aggregate")
            files = sum(path.is_file() for path in (Path(folder) / "results").rglob("*"))
            looked_up = f"{asked['seconds']:.2f} s for {asked['cells']} cells"
            row = (cells, facts["packs"], planned, dry_run, foretold, looked_up, aggregated, files)
            print("|", " | ".join(map(str, row)), "|", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--step"]:
        done = globals()[sys.argv[2]](json.loads(Path(sys.argv[3]).read_text()))
        print(json.dumps(done or {}))
    elif sys.argv[1:2] == ["--price"]:
        sys.path.insert(0, str(ROOT / "workflow_scripts"))
        with tempfile.TemporaryDirectory() as folder:
            price(config(int(sys.argv[2])) | {"results": folder})
    else:
        main([int(size) for size in sys.argv[1:]] or [1000, 10_000, 100_000])
