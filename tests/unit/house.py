"""A results folder whose store holds cells that nobody trained."""

import copy

from tests.unit.helpers import RECIPE

from minima import store
from minima.data.files import save, split_digests
from minima.data.prepare import prepared
from minima.findings.records import record_use
from minima.jobs.train_pack import identities
from minima.plan.files import data_file
from minima.plan.fingerprint import code_used, training_modules
from minima.plan.grid import by_group
from minima.plan.workplan import Plan

STUDY = {
    "blocks": {
        "main": {
            "data": "toy",
            "axes": {"network.width": [8, 16], "init.scale": [1, 2]},
            "seed": {"start": 0, "count": 2},
            "stop": {"max_steps": 50},
        },
        "momentum": {
            "data": "toy",
            "network": {"width": 8},
            "optimizer": {"name": "heavy_ball", "momentum": 0.5},
            "axes": {"optimizer.lr": [0.1, 0.2]},
            "seed": {"start": 0, "count": 2},
            "stop": {"max_steps": 50},
        },
    }
}
MAIN = ("studies", "toys", "blocks", "main")
MOMENTUM = ("studies", "toys", "blocks", "momentum")
CELLS = 8 + 4


class House:
    """A results folder whose data are prepared and whose store is filled with made-up cells."""

    def __init__(self, folder):
        self.folder = folder
        self.raw = {
            "results": str(folder),
            "claims": None,
            "data": {"toy": dict(RECIPE)},
            "studies": {"toys": copy.deepcopy(STUDY)},
        }
        for file in self.plan().data_files.values():
            save(prepared(file.recipe, file.splits, "."), self.plan().paths.data(file.name))

    def plan(self, at=(), value=None, **changes):
        """The plan of the config, with another value at a path."""
        raw = copy.deepcopy(self.raw) | changes
        if at:
            inside = raw
            for key in at[:-1]:
                inside = inside[key]
            inside[at[-1]] = value
        return Plan(raw)

    def identities(self, cells, data=None):
        digests = split_digests(self.plan().paths.data(data_file(cells[0]).name))
        return list(identities(cells, digests if data is None else dict.fromkeys(digests, data), {}).values())

    def fill(self, plan, cells=None, data=None, code=None, modules=None):
        """One shard of results nobody trained per group; returns the shards."""
        shards = []
        for group, members in by_group(plan.cells.values() if cells is None else cells).items():
            found = self.identities(members, data)
            found = [store.Identity(i.cell, i.fields, i.data, code or i.code) for i in found]
            used = code_used(training_modules(members[0].values)) | (modules or {})
            rows = [(identity, {"status": "converged", "steps": 1}) for identity in found]
            shards.append(store.write(self.folder / "store", group, rows, {"step": [0]}, used))
        return shards

    def keys(self, cells):
        return [identity.key for cell in cells for identity in self.identities([cell])]

    def record(self, plan, study="toys"):
        return record_use(plan, study, sorted(self.keys(plan.cells.values())))


def counts(found, study="toys"):
    return tuple(found.studies[study][state] for state in ("cached", "new", "changed"))
