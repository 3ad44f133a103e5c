"""Results depend neither on how cells are packed nor on how many processes train at once."""

import numpy as np
import pytest

from minima.jobs import pack_file

TRAIN = ("--until", "train_pack")
PACKS = "packs/*.nc"


def cells(workflow):
    """Digest of a cell → its row of its pack."""
    return {
        str(row["cell"].item()): row
        for name in workflow.files(PACKS)
        for part in pack_file.read(workflow.folder / "results" / name)
        for _, row in part.groupby("cell", squeeze=False)
    }


@pytest.mark.slow
def test_packs_and_processes_change_no_result(fresh):
    """Two packs of four cells, one after the other or side by side, are the same bytes; a pack per cell
    holds the same cells up to rounding, for full batches and for mini-batches of a cell's own."""
    fresh.config["studies"]["question"]["blocks"].pop("own")
    fresh.config["studies"]["question"]["figures"] = {}
    sgd = {"name": "sgd", "batch_size": 5}
    fresh.config["execution"] = {"pack_minutes": 0.0025}
    fresh.main["axes"] = {
        "optimizer": {"full": {"name": "gd"}, "batches": sgd},
        "optimizer.lr": [0.1, 0.05],
    }
    other = fresh.copied_to(fresh.folder.with_name("other"))
    other.config = fresh.config
    alone = fresh.copied_to(fresh.folder.with_name("alone"))
    alone.config = fresh.config | {"execution": {"pack_minutes": 1e-9}}
    runs = [
        workflow.run(*TRAIN, "--cores", cores).succeeded()
        for workflow, cores in ((fresh, "1"), (other, "2"), (alone, "2"))
    ]
    assert [run.jobs["train_pack"] for run in runs] == [2, 2, 8]
    assert [run.trained for run in runs] == [8, 8, 8]
    assert fresh.files(PACKS) == other.files(PACKS)
    together, single = cells(fresh), cells(alone)
    assert len(together) == 8
    assert together.keys() == single.keys()
    for cell, one in together.items():
        for name, values in one.data_vars.items():
            wanted = single[cell][name].values
            if values.dtype.kind in "UO":
                assert np.array_equal(values, wanted), name
            else:
                size = np.nanmax(np.abs(wanted), initial=1e-3)
                np.testing.assert_allclose(
                    values.values, wanted, rtol=0, atol=1e-10 * size, err_msg=str(name)
                )
