"""The registered claims of `momentum` on the committed axes and steps, where kernels stand still."""

import pytest
import xarray as xr
from tests.unit.momentum_world import block, tree
from tests.unit.worlds import CLAIMED, blocks

from minima.findings.claims import INCONCLUSIVE, SUPPORTED, judge
from minima.training.recording import coordinates

# Of width, steps and digits a world without networks says nothing.
SILENT = {"mom-6", "mom-7", "mom-10"}
CLAIMS = {claim.id: claim for claim in CLAIMED if claim.study == "momentum"}
WORLDLY = [name for name in CLAIMS if name not in SILENT]


def simulated(name):
    """A committed block, its networks replaced by frozen kernels: as many as its claims need."""
    grid = blocks("momentum")[name]
    cell = grid.cells[0].values
    optimizer, axes = cell["optimizer"], [(a.dimension, a.path, list(a.labels)) for a in grid.axes[:-1]]
    momentum = optimizer.get("momentum")
    fixed = momentum if isinstance(momentum, dict) else {"momentum": momentum}
    fixed = {
        key: value for key, value in fixed.items() if value is not None and key not in {a[0] for a in axes}
    }
    if any(path == "optimizer.momentum" for _, path, _ in axes):
        fixed = {}
    share = optimizer["lr"]["relative_to_least"]
    parts = [part for claim in CLAIMS.values() for part in claim.asked if part.arguments["block"] == name]
    seeds = max(part.replicates for part in parts)
    return block(optimizer["name"], share, coordinates(cell)["step"], axes, fixed, seeds=seeds)


@pytest.fixture(scope="module")
def world():
    asked = {part.arguments["block"] for name in WORLDLY for part in CLAIMS[name].asked}
    return tree(**{name: simulated(name) for name in sorted(asked)})


@pytest.mark.parametrize("name", WORLDLY)
def test_where_the_theory_is_the_truth_its_claims_are_supported(name, world):
    verdict = judge(CLAIMS[name], world)
    assert verdict["verdict"] == SUPPORTED, [(part["label"], part["estimate"]) for part in verdict["parts"]]
    assert verdict["control"]["outcome"] in ("holds", "none")


def test_schedule_and_constant_momentum_are_told_apart(world):
    """Each in the other's place: neither mom-3 nor mom-4 is supported."""
    nesterov, constant = (world[f"trained/{name}"].to_dataset() for name in ("nesterov", "nesterov_constant"))
    swapped = xr.concat([constant] * nesterov.sizes["r"], dim=nesterov.r)
    other = tree(
        nesterov=swapped.assign_attrs(constant.attrs), nesterov_constant=nesterov.sel(r=3, drop=True)
    )
    assert judge(CLAIMS["mom-3"], other)["verdict"] != SUPPORTED
    assert judge(CLAIMS["mom-4"], other)["verdict"] != SUPPORTED


@pytest.mark.parametrize("name", sorted(SILENT))
def test_without_their_blocks_claims_are_inconclusive_and_say_why(name, world):
    verdict = judge(CLAIMS[name], world)
    assert verdict["verdict"] == INCONCLUSIVE
    assert "not in the dataset" in verdict["reason"]
