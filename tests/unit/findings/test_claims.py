"""Verdicts: supported where a claim is true, refuted where it is false, inconclusive where that cannot be
known or where the control says that the estimator cannot be trusted."""

import numpy as np
import pytest
from tests.unit.worlds import CLAIMS, CONTROLLED, REGISTER, World, spoiled, verdict_of, without

from minima.findings.claims import judge

pytestmark = [pytest.mark.filterwarnings("error"), pytest.mark.usefixtures("few_resamples")]


@pytest.fixture(scope="module")
def world_of_twelve():
    """A true world with more seeds than any claim needs, where its blocks have them."""
    return World(seeds=12).tree()


def needed(name):
    """The units that the claim's first part needs."""
    return REGISTER[name].parts[0].replicates


# The claims of init_size, in worlds whose truth is known; other studies have theirs in tests of their own


@pytest.mark.parametrize("name", CLAIMS)
def test_what_is_true_is_supported(name, true_world):
    """In the world that the paper claims every part lies inside its region, and the control holds."""
    found = verdict_of(name, true_world)
    assert found["verdict"] == "supported", found["reason"]
    assert {part["verdict"] for part in found["parts"]} == {"supported"}
    assert found["control"]["outcome"] == ("holds" if name in CONTROLLED else "none")
    assert found["reason"] == ""
    for part in found["parts"]:
        assert part["low"] <= part["estimate"] <= part["high"]


FALSE = [
    ("init-1", {"laziness": 0.0}, "slope of ‖net − linearized‖"),  # width does not help
    ("init-1", {"laziness": -1.0}, "slope of ‖net − linearized‖"),  # or far more than claimed
    ("init-1", {"gd_error": 1e-4}, "linearized gradient descent"),  # the closed form is another function
    ("init-2", {"power": -1.0}, "slope of ‖(f₊ − f₋)/2‖ in σ over H"),  # σ^(H−1): the off-by-one trap
    ("init-2", {"power": 1.0}, "slope of ‖(f₊ − f₋)/2‖ in σ over H"),
    ("init-2", {"size": 1.4}, "error due to the initialization"),  # the right slope, twice the error
    ("init-2", {"size": 0.6}, "error due to the initialization"),
    ("init-2", {"closed_power": 0.05}, "the same slope in closed form"),
    ("init-3", {"share": 0.0}, "0-1 error"),  # the initialization does not matter
    ("init-3", {"star": 3.5}, "0-1 error"),  # or only at a scale beyond 3
    ("init-4", {"leak": ("centred",)}, "centred"),
    ("init-4", {"leak": ("antisymmetric",)}, "antisymmetric"),
    ("init-4", {"share": 0.0}, "gaussian"),
    ("init-5", {"star_predicted": 2.5}, "σ*"),
    ("init-5", {"star_predicted": 1.0}, "σ*"),
    ("init-5", {"size": 1.4}, "V of trained twins"),  # σ* is the sixth root of it
    ("init-5", {"size": 0.6}, "V of trained twins"),
    ("init-5b", {"star_predicted": 2.5}, "place of the measured σ*"),  # where mean f₀² has it
]


@pytest.mark.parametrize(("name", "truth", "guilty"), FALSE)
def test_what_is_false_is_refuted(name, truth, guilty):
    """One part whose interval lies outside refutes, whatever the others and the control say."""
    found = verdict_of(name, World(**truth).tree())
    assert found["verdict"] == "refuted"
    refuted = [part["label"] for part in found["parts"] if part["verdict"] == "refuted"]
    assert any(guilty in label for label in refuted)
    if len(found["parts"]) > 1:
        assert found["reason"].startswith("refuted: ")


def test_every_claim_has_a_world_that_refutes_it():
    """A new claim needs one here, or it is not known that it can fail."""
    assert {name for name, *_ in FALSE} == set(CLAIMS)


@pytest.mark.parametrize("name", CLAIMS)
def test_two_seeds_are_too_few(name):
    """However clear the effect: with fewer units than stated nothing is concluded, and that is why."""
    found = verdict_of(name, World(seeds=2).tree())
    assert found["verdict"] == "inconclusive"
    assert f"2 units where {needed(name)} are needed" in found["reason"]
    assert found["n"] == 2


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("truth", [{}, {"laziness": 0, "power": 1, "star": 9, "star_predicted": 1}])
def test_two_seeds_are_too_few_to_refute(name, truth):
    """Nor is anything refuted by them."""
    assert verdict_of(name, World(seeds=2, **truth).tree())["verdict"] == "inconclusive"


@pytest.mark.parametrize("name", CLAIMS)
@pytest.mark.parametrize("status", ["diverged", "stopped", "missing"])
def test_networks_without_a_minimizer_are_left_out_and_counted(name, status, world_of_twelve):
    """A seed of which one network did not converge enters nothing, not even as an absurd number; the verdict
    rests on the others and says so."""
    found = verdict_of(name, spoiled(world_of_twelve, status, [1]))
    assert found["verdict"] == "supported", found["reason"]
    parts = [*found["parts"], *([found["control"]] if name in CONTROLLED else [])]
    without_one = [part for part in parts if "1 of" in part["reason"]]
    assert without_one
    for part in without_one:
        seeds = part["n"] + 1
        assert part["reason"] == f"1 of {seeds} seeds left out: not all of their networks converged"
    for part in parts:
        assert np.isfinite([part["estimate"], part["low"], part["high"]]).all()


@pytest.mark.parametrize("name", CLAIMS)
def test_too_many_left_out_is_inconclusive(name, true_world):
    """Where fewer seeds converged than are needed the reason names both numbers."""
    found = verdict_of(name, spoiled(true_world, "diverged", list(range(1, 10))))
    assert found["verdict"] == "inconclusive"
    said = f"{found['reason']} {found['control']['reason']}"
    assert f"1 units where {needed(name)} are needed" in said
    assert "9 of 10 seeds left out" in said or "5 of 6 seeds left out" in said


@pytest.mark.parametrize("name", CLAIMS)
def test_nothing_converged_at_all(name, true_world):
    """No estimate, and no crash."""
    found = verdict_of(name, spoiled(true_world, "diverged", list(range(10))))
    assert found["verdict"] == "inconclusive"
    parts = [*found["parts"], found["control"]]
    assert any(part.get("n") == 0 and part["estimate"] is None for part in parts)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        (name, f"{kind}/{part.arguments['block']}")
        for name, claim in REGISTER.items()
        for part in claim.parts[:1]
        for kind in ("trained", "predicted", "reference")
    ],
)
def test_a_missing_block_is_inconclusive(name, path, true_world):
    """A study without a claim's block says which is missing; where the block is not needed the verdict
    stays."""
    found = verdict_of(name, without(true_world, path))
    if found["verdict"] == "supported":
        assert not path.startswith("trained")
        return
    assert found["verdict"] == "inconclusive"
    assert "not in the dataset" in found["reason"]
    assert path.split("/")[1] in found["reason"]


CONTROL_BREAKS = [
    # the net goes to f_int itself, so the control's distance falls as well
    ("init-1", lambda tree: World(share=0.0).tree()),
    ("init-2", lambda tree: World(leak=("centred",)).tree()),
    ("init-3", lambda tree: World(leak=("antisymmetric",)).tree()),
    # any variance would do
    ("init-5", lambda tree: World(untrained=1.0).tree()),
    # networks start as the limit has them end
    ("init-5b", lambda tree: World(drawn=0.05).tree()),
]


@pytest.mark.parametrize(("name", "broken"), CONTROL_BREAKS)
def test_a_control_that_fails_keeps_a_claim_from_being_supported(name, broken, true_world):
    """All parts hold, but the effect shows also where it must be absent: inconclusive, because of that."""
    found = verdict_of(name, broken(true_world))
    assert {part["verdict"] for part in found["parts"]} == {"supported"}
    assert found["control"]["outcome"] == "fails"
    assert found["verdict"] == "inconclusive"
    assert found["reason"] == "the control failed"


def test_every_control_has_a_world_that_breaks_it():
    assert [name for name, _ in CONTROL_BREAKS] == CONTROLLED


@pytest.mark.parametrize("name", CONTROLLED)
def test_an_inconclusive_control_keeps_a_claim_from_being_supported(name, true_world):
    """A control that could not be estimated has controlled nothing; the reason says so."""
    claim = REGISTER[name]
    control = claim.control.model_copy(update={"replicates": 99})
    found = judge(claim.model_copy(update={"control": control}), true_world)
    assert found["verdict"] == "inconclusive"
    assert found["control"]["outcome"] == "inconclusive"
    assert found["reason"].startswith("the control is inconclusive (")
    assert "where 99 are needed" in found["reason"]
