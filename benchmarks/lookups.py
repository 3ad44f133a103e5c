"""What all jobs of a large group together ask of the store: python benchmarks/lookups.py [PACKS CELLS]

PACKS packs (256, a power of 2) of about CELLS (100) made-up cells each stand in the store, a shard each; then
every job looks its cells up. Seconds of CPU time and files opened, first for half as many packs: linear means
half of it.
"""

import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace

import netCDF4
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "workflow_scripts"))

from minima import store
from minima.plan.digest import bits, digest
from minima.store import Identity


def packs(count: int, cells: int) -> list[dict[str, Identity]]:
    """The cells of as many packs, cut by the first bits of their digests, as packs are."""
    depth = (count - 1).bit_length()
    found: dict[str, dict[str, Identity]] = {}
    for number in range(count * cells):
        name = digest(str(number))
        identity = Identity(name, f'{{"number": {number}, "text": "{"x" * 1500}"}}', "data", "code")
        found.setdefault(bits(name)[:depth], {})[name] = identity
    return list(found.values())


def measured(count: int, cells: int) -> None:
    opened = []

    def counting(path):
        opened.append(path)
        return netCDF4.Dataset(path)

    with tempfile.TemporaryDirectory() as name:
        groups = packs(count, cells)
        results = {"status": "converged", "steps": 1, "test": np.zeros((50, 1))}
        for group in groups:
            rows = [(identity, results) for identity in group.values()]
            store.write(Path(name), "group", rows, {"step": [0]}, {})
        store.netCDF4 = SimpleNamespace(Dataset=counting)
        begun = time.process_time()
        for group in groups:
            assert len(store.look_up(Path(name), "group", group, "same_code")) == len(group)
        seconds = time.process_time() - begun
    print(f"| {len(groups)} | {cells} | {seconds:.1f} s | {len(opened)} |", flush=True)


if __name__ == "__main__":
    packs_asked, cells_asked = (int(number) for number in sys.argv[1:3] or (256, 100))
    print("| packs | cells of each, about | look-ups of all jobs | files opened |\n|---|---|---|---|")
    for part in (packs_asked // 2, packs_asked):
        measured(part, cells_asked)
