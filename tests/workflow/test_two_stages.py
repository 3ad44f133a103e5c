"""Cells that start from other cells, on the real workflow: one pretraining for all regimes, and no more is
trained again than hangs on a change."""

import copy

import pytest
from harness import DATASET, Workflow, cells_of
from tests.unit.plan.test_starts import CONFIG

# Not --until train_pack: Snakemake stops at the first job of a rule, and these follow one another.


@pytest.mark.slow
def test_regimes_share_a_pretraining_and_a_changed_dose_trains_what_hangs_on_it(fresh: Workflow):
    fresh.config = copy.deepcopy(CONFIG)
    first = fresh.run(DATASET).succeeded()
    assert first.cells == cells_of(CONFIG)
    assert first.trained == 12, "two doses × two seeds, then two rates from either start"

    blocks = fresh.config["studies"]["question"]["blocks"]
    blocks["before"]["axes"] = {"data.confusion.copies": [1, 3]}
    blocks["after"]["axes"]["init"]["bad"]["select"] = {"copies": 3}
    changed = fresh.run(DATASET).succeeded()
    assert changed.cells == cells_of(fresh.config) - cells_of(CONFIG)
    assert changed.trained == 6, "the other dose and what starts there; the random starts stay"

    assert "Nothing to be done" in fresh.run(DATASET).succeeded().output
