"""How many steps networks take: python benchmarks/steps.py record FOLDER …

record   reads the stores of these results folders into workflow_scripts/minima/plan/trajectories.json: the
         mean trajectory of every kind of network, and the slopes of their lengths in points, width, depth,
         scale and batch, fitted within the kinds that agree in all words. `minima.plan.convergence` says what
         it is for. The recorded folders: that of benchmarks/steps.yaml (its first lines say how) and that of
         the default run.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

from minima import store  # noqa: E402
from minima.findings.outcomes import outcomes  # noqa: E402
from minima.plan.convergence import (  # noqa: E402
    NUMBERS,
    RECORDED,
    Outcome,
    Trajectory,
    runs,
    to_json,
    trajectories,
)

SLOPES = [name for name in NUMBERS if name not in ("clock", "outputs")]
REFERENCE = 1e-3  # the residual at which lengths are compared
RIDGE = 1.0  # toward no slope: a number that hardly varies says little


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
            x = np.array(
                [[dict(zip(NUMBERS, m.kind.numbers, strict=True))[n] for n in SLOPES] for m in members]
            )
            y = np.log([max(1.0, m.steps_to(REFERENCE)) * m.kind.clock for m in members])
            xs.append(x - x.mean(0))
            ys.append(y - y.mean())
        x, y = np.concatenate(xs), np.concatenate(ys)
        slope = np.linalg.solve(x.T @ x + RIDGE * np.eye(len(SLOPES)), x.T @ y)
        found[family] = {n: round(float(s), 2) for n, s in zip(SLOPES, slope, strict=True) if abs(s) > 0.01}
    return found


def content(found: Sequence[Outcome]) -> dict:
    """`content` returns what is recorded of trained cells."""
    rows = [*trajectories(found), *runs(found)]
    return {"slopes": slopes(rows), "rows": sorted(map(to_json, rows), key=lambda row: str(row["kind"]))}


def main(folders: Sequence[str]) -> None:
    found = [one for folder in folders for one in outcomes(list(store.inventory(Path(folder) / "store")))]
    recorded = content(found)
    lines = ",\n".join(json.dumps(row, ensure_ascii=False) for row in recorded["rows"])
    RECORDED.write_text(
        f'{{"slopes": {json.dumps(recorded["slopes"])},\n"rows": [\n{lines}\n]}}\n', encoding="utf-8"
    )
    print(f"{len(found)} cells, {len(recorded['rows'])} trajectories in {RECORDED}")


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["record", first, *others]:
            main([first, *others])
        case _:
            sys.exit(__doc__)
