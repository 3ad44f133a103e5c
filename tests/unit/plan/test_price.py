"""The plan tells the price: expected against what recorded runs took, and what it learns from a store."""

import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import yaml
from benchmarks import steps as benchmark
from tests.unit.helpers import grid

from minima.data.sources.file import File
from minima.findings.forecast import forecast
from minima.findings.spectra import spectral
from minima.findings.words import duration
from minima.forms import GRAM, NARROW, declared, form_of, is_linear
from minima.plan.convergence import (
    Kind,
    Known,
    Outcome,
    Trajectory,
    expected_steps,
    kind_of,
    recorded,
    runs,
    trajectories,
)
from minima.plan.cost import ROOM, Cost, at_most, cell_cost, cost_of, expected, job_minutes
from minima.plan.recipes import UNKNOWN
from minima.plan.workplan import Plan

measured = cache(benchmark.measured)


def ratio(cells, known):
    """Expected over measured, of cells in the packs that the default config would make of them."""
    packs = benchmark.packs_of(cells)
    return sum(benchmark.price(pack.cells, known) for pack in packs) / benchmark.spent(cells)


def test_the_default_run_is_priced_within_a_factor_of_three_on_an_empty_store():
    assert 1 / 3 < ratio(measured("default"), recorded()) < 3


def test_nine_of_ten_groups_are_priced_within_three_by_the_others():
    """What no like network was recorded of is priced from others by theory: each group of cells in turn, of
    those that took a second and have others of their family."""
    groups = defaultdict(list)
    for cell in measured("default"):
        groups[cell.group].append(cell)
    ratios = []
    for cells in groups.values():
        known = benchmark.unseen(cells)
        kinds = [kind_of(cell.values, "residual") for cell in cells]
        if benchmark.spent(cells) > 1 and all((k.family, k.goal, k.loss) in known.by_family for k in kinds):
            ratios.append(benchmark.price(cells, known) / benchmark.spent(cells))
    assert len(ratios) > 50
    assert sum(1 / 3 < ratio < 3 for ratio in ratios) >= 0.8 * len(ratios)


def test_two_stored_seeds_price_the_others_within_a_half_and_four_packs_of_five_within_two():
    known, left = benchmark.after_two_seeds(measured("default"))
    assert 1 / 1.5 < ratio(left, known) < 1.5
    packs = benchmark.packs_of(left)
    ratios = [benchmark.price(pack.cells, known) / benchmark.spent(pack.cells) for pack in packs]
    assert sum(0.5 < ratio < 2 for ratio in ratios) >= 0.8 * len(ratios)


def test_no_recorded_pack_would_have_been_killed():
    """What a job asks for at its first attempt is more than it took."""
    for pack in benchmark.packs_of(measured("default")):
        assert 60 * job_minutes(pack.cost, pack.at_most) > benchmark.spent(pack.cells)


@pytest.mark.parametrize("expected", [0.0, 60.0, 1e5])
def test_a_retry_asks_for_twice_as_much_or_more(expected):
    """Up to what is possible, and a few minutes' job too: a node may be slow."""
    asked = [job_minutes(Cost(expected), Cost(1e5), attempt) for attempt in (1, 2, 3)]
    assert asked[1] >= 2 * asked[0]
    assert asked[2] > asked[1]
    assert asked[0] >= min(ROOM * expected, 2e5) / 60
    assert asked[2] <= 3 * (2e5 / 60 + 7)


CELL = {"network": {"width": 64}, "predict": [], "stop": {"residual": 1e-3, "max_steps": 1_000_000}}


def steps(known=None, **sections):
    (cell,) = grid(recipe={"dimension": 64}, **(CELL | sections)).cells
    return expected_steps(cell, known or recorded())


@pytest.mark.parametrize(
    ("less", "more"),
    [
        ({"optimizer": {"lr": {"relative": 0.8}}}, {"optimizer": {"lr": {"relative": 0.2}}}),
        ({"stop": {"residual": 0.1}}, {"stop": {"residual": 1e-4}}),
        ({"optimizer": {"name": "heavy_ball"}}, {"optimizer": {"name": "gd"}}),
        (
            {"optimizer": {"name": "adagrad", "lr": 0.04}},
            {"optimizer": {"name": "adagrad", "lr": 0.02}},
        ),
        ({"optimizer": {"name": "flow", "tolerance": 1e-2}}, {"optimizer": {"name": "flow"}}),
    ],
    ids=["a smaller rate", "a smaller residual", "no momentum", "a smaller absolute rate", "a finer flow"],
)
def test_what_takes_longer_is_expected_to(less, more):
    assert steps(**less) < steps(**more)


def test_steps_of_descent_are_inverse_to_its_rate_and_of_adagrad_to_its_square():
    rates = [steps(optimizer={"lr": {"relative": r}}) for r in (0.5, 0.25)]
    assert rates[1] == pytest.approx(2 * rates[0], rel=0.5)
    squares = [steps(optimizer={"name": "adagrad", "lr": r}) for r in (0.02, 0.01)]
    assert squares[1] == pytest.approx(4 * squares[0], rel=0.5)


def test_never_more_than_the_last_step():
    assert steps(stop={"residual": 1e-3, "max_steps": 7}) == 7
    assert steps(stop={"residual": None, "max_steps": 700}) == 700


def outcome(cell, steps, status="converged", run=None):
    return Outcome(cell.values, status, steps, 1e-3, ((0.1, steps / 10), (0.01, steps / 2)), run)


def test_what_a_store_knows_of_the_same_cells_is_what_is_expected():
    first, second, third = grid(recipe={"dimension": 64}, seed={"start": 0, "count": 3}, **CELL).cells
    known = Known(trajectories([outcome(first, 300), outcome(second, 500)]), {})
    assert expected_steps(third, known) == pytest.approx(400)


def test_the_store_tells_steps_to_residuals_on_the_way_and_beyond():
    (cell,) = grid(recipe={"dimension": 64}, **CELL).cells
    (one,) = trajectories([outcome(cell, 400)])
    assert (one.steps_to(0.1), one.steps_to(0.01), one.steps_to(1e-3)) == pytest.approx((40, 200, 400))
    assert 40 < one.steps_to(0.03) < 200
    assert one.steps_to(1e-4) == pytest.approx(600, rel=0.2)


def test_diverged_and_untrained_cells_and_those_of_another_version_teach_nothing():
    (cell,) = grid(recipe={"dimension": 64}, **CELL).cells
    (short,) = grid(recipe={"dimension": 64}, **(CELL | {"stop": {"max_steps": 1}})).cells
    old = Outcome({"stop": cell["stop"], "linearized_run": {}}, "converged", 9, 1e-3, (), 5.0)
    known = [outcome(cell, 3, "diverged"), outcome(short, 1, "stopped"), old]
    assert trajectories(known) == []
    assert runs([old]) == []


def test_cells_that_record_other_residuals_teach_together():
    first, second = grid(recipe={"dimension": 64}, seed={"start": 0, "count": 2}, **CELL).cells
    (one,) = trajectories(
        [outcome(first, 300), Outcome(second.values, "converged", 500, 1e-3, ((0.01, 250.0),))]
    )
    assert one.reached == ((0.01, 200.0), (0.001, 400.0))


def test_linearized_networks_learn_from_linearized_ones():
    sections = CELL | {"optimizer": {"name": "adam", "lr": 1e-3}, "predict": ["linearized_trained"]}
    (cell,) = grid(recipe={"dimension": 64}, **sections).cells
    (one,) = runs([outcome(cell, 400, run=1234.0)])
    (other,) = trajectories([outcome(cell, 400, run=1234.0)])
    (loose,) = grid(recipe={"dimension": 64}, **(sections | {"linearized_run": {"residual": 1e-4}})).cells
    assert expected(Known([one, other], {}))(loose) == pytest.approx((400, 1234))


def test_unknown_families_are_taken_to_run_to_their_last_step():
    kind = Kind("no such optimizer", "residual", "mse", ("network",) * 7, (0.0,) * 7)
    assert recorded().steps(kind, 1e-3) is None
    assert Known([Trajectory(kind, 0.1, 5.0, ())], {}).steps(kind, 0.1) == pytest.approx(5)


LINEAR = {"width": 5000, "activation": "linear", "depth": 2}


@pytest.mark.parametrize(
    "sections",
    [
        {"optimizer": {"lr": 0.1, "weight_decay": {"strength": 0.1}}},
        {"network": LINEAR | {"frozen": [1]}},
        {"record": {"probes": ["norm"]}},
    ],
    ids=["decay", "a frozen layer", "the probe norm"],
)
def test_wide_linear_nets_that_the_narrow_form_refuses_pay_for_their_width(sections):
    """They were priced 15 times too low while the plan had a list of its own of what the engine refuses."""
    plain = {"network": LINEAR, "optimizer": {"lr": 0.1}, "predict": []}

    def seconds(**more):
        (cell,) = grid(recipe={"dimension": 64}, **(plain | more)).cells
        return cell_cost(cell, at_most).seconds

    assert seconds(**sections) > 4 * seconds()


def test_the_form_is_one_question_for_plan_and_engine():
    (cell,) = grid(recipe={"dimension": 64}, network=LINEAR, predict=[]).cells
    assert form_of(cell.values, [64, 5000, 1], 20) == NARROW
    assert form_of(cell.values, [64, 50, 50, 1], 20) == GRAM
    assert form_of(cell.values, [64, 50, 50, 1], 200) is None


def test_declarations_are_read_without_importing_also_where_they_are_taken_over():
    assert is_linear("sgd")
    assert not is_linear("adam")
    assert declared("minima.theory.followed", "RESIDUAL") == 1e-3
    assert declared("minima.theory.predictors.linearized", "RESIDUAL") is False


def test_at_most_bounds_what_is_expected():
    cells = measured("default")[:200]
    assert cost_of(cells).seconds <= cost_of(cells, at_most).seconds


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0, "0 s"), (89, "89 s"), (91, "2 min"), (5000, "83 min"), (7200, "2.0 h"), (300_000, "3 days")],
)
def test_durations_are_said_as_people_do(seconds, said):
    assert duration(seconds) == said


README = Path(benchmark.ROOT, "README.md").read_text(encoding="utf-8")


def own_file(folder):
    """The table of the measured run of README's example: two classes that a plane divides."""
    rng = np.random.default_rng(0)
    x = rng.standard_normal((1000, 20))
    np.savez(folder / "my_data.npz", x=x, y=(x @ rng.standard_normal(20) > 0).astype(int))


def plan_of_the_readme(folder, seeds):
    (page,) = (text for text in re.findall(r"```yaml\n(.*?)```", README, re.DOTALL) if "my_study" in text)
    config = yaml.safe_load(page) | {"claims": None, "results": str(folder / "results")}
    config["studies"]["my_study"]["blocks"]["main"]["seed"]["count"] = seeds
    return Plan(config)


def place(cell):
    return cell["network"]["width"], cell["init"]["scale"], cell["seed"]


def test_readmes_example_is_priced_within_a_factor_of_three_on_an_empty_store(tmp_path, monkeypatch):
    """Easy data: what digits take would be ten times too long, and the spectrum of the user's own tells. Of
    its networks those that were measured."""
    monkeypatch.chdir(tmp_path)
    own_file(tmp_path)
    plan = plan_of_the_readme(tmp_path, 2)
    known = recorded().with_more(spectral(plan, plan.cells.values()))
    places = {place(cell) for cell in measured("readme")}
    same = [cell for cell in plan.cells.values() if place(cell) in places]
    took = benchmark.spent(measured("readme"))
    assert took / 3 < benchmark.price(same, known) < 3 * took
    assert benchmark.price(same, recorded()) > 5 * took


def test_a_users_256_features_are_priced_within_a_factor_of_three():
    """Digits of 16×16 pixels in a file, some of the default config's blocks."""
    assert 1 / 3 < ratio(measured("features_256"), recorded()) < 3


def test_a_file_that_is_not_there_yet_is_priced_all_the_same(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert forecast(plan_of_the_readme(tmp_path, 1)).price.expected_seconds > 0


def test_the_spectrum_tells_the_steps_of_a_wide_network(tmp_path):
    """On digits, from the kernel of infinite width alone, what trained networks took."""
    data = {"digits": {"source": "digits", "classes": [3, 8], "train_size": 40, "test_size": 200}}
    block = {"data": "digits", "network": {"width": 4096}, "optimizer": {"lr": {"relative": 0.8}}}
    plan = Plan(
        {"results": str(tmp_path), "claims": None, "data": data, "studies": {"s": {"blocks": {"b": block}}}}
    )
    (one,) = spectral(plan, plan.cells.values())
    same = [c for c in measured("default") if kind_of(c.values, "residual") == one.kind]
    took = [cell.outcome.steps for cell in same if cell["stop"]["residual"] == 1e-3]
    assert len(took) >= 5
    assert np.mean(took) / 2 < one.steps_to(1e-3) < 2 * np.mean(took)


@pytest.mark.parametrize(
    "sections",
    [
        {"optimizer": {"lr": 0.1}},
        {"optimizer": {"name": "adam", "lr": 0.1}},
        {"optimizer": {"weight_decay": {"strength": 0.1}}},
        {"network": {"frozen": [2]}},
        {"network": {"parametrization": "standard"}},
        {"network": {"activation": "tanh"}},
        {"data": "missing"},
        {"data": "downloaded"},
    ],
    ids=str,
)
def test_the_spectrum_is_silent_where_it_does_not_tell(tmp_path, sections):
    data = {
        "digits": {"source": "digits", "classes": [3, 8], "train_size": 40},
        "missing": {"source": "file", "path": "missing.npz"},
        "downloaded": {"source": "mnist", "classes": [0, 1], "train_size": 40},
    }
    studies = {"s": {"blocks": {"b": {"data": "digits"} | sections}}}
    plan = Plan({"results": str(tmp_path), "claims": None, "data": data, "studies": studies})
    assert spectral(plan, plan.cells.values()) == []


def test_own_tables_tell_their_width_by_their_head(tmp_path):
    own_file(tmp_path)
    (tmp_path / "table.csv").write_text("a,b,c,label\n1,2,3,0\n")
    (tmp_path / "broken.npz").write_bytes(b"PK")
    shapes = [
        File(source="file", path=str(tmp_path / name)).expected_shape()
        for name in ("my_data.npz", "table.csv", "broken.npz", "missing.npz")
    ]
    assert shapes == [(20,), (3,), UNKNOWN, UNKNOWN]
    np.savez(tmp_path / "images.npz", x=np.zeros((5, 1, 16, 16)), y=np.zeros(5))
    assert File(source="file", path=str(tmp_path / "images.npz")).expected_shape() == (1, 16, 16)
    here = [File(source="file", path=str(tmp_path / name)) for name in ("images.npz", "my_data.npz")]
    assert [one.images() for one in here] == [None, False]  # a row of numbers is none
