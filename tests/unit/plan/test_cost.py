"""The cost model: it grows with what costs more, and is near what measured cells took."""

import numpy as np
import pytest
from benchmarks import cost as benchmark
from tests.unit.helpers import grid

from minima.plan.cost import SECONDS, as_recorded, at_most, cell_cost, job_memory_mb, job_minutes

DATA = {"dimension": 64, "train_size": 40, "test_size": 200}
SHAPE = {"depth": 3, "width": 256}
ABSOLUTE = {"name": "gd", "lr": 1e-4}
FLOW = {"name": "flow"}


def seconds(train_size=40, **sections):
    (cell,) = grid(recipe=DATA | {"train_size": train_size}, **({"network": SHAPE} | sections)).cells
    # run to their last step, but for a flow, which never does
    lengths = as_recorded if cell["optimizer"]["name"] == "flow" else at_most
    return cell_cost(cell, lengths).seconds


# CPU seconds of train_cells, best of three, on a loaded AMD EPYC core, torch 2.13.0+cpu:
# recorded, not measured here. 500 steps to the last one; one step where the kernel is what costs; a flow to
# its end.
STEPS = {"stop": {"max_steps": 500}, "predict": []}
ONE = {"stop": {"max_steps": 1}}
RECORDED = {
    "gd, width 64": (0.086, {"network": SHAPE | {"width": 64}, "optimizer": ABSOLUTE} | STEPS),
    "gd, width 256": (0.249, {"optimizer": ABSOLUTE} | STEPS),
    "gd, float32": (0.169, {"optimizer": ABSOLUTE, "dtype": "float32"} | STEPS),
    "sgd, batches of 8": (0.215, {"optimizer": {"name": "sgd", "batch_size": 8, "lr": 1e-4}} | STEPS),
    "adam": (0.805, {"optimizer": {"name": "adam", "lr": 1e-6}} | STEPS),
    "kernel, width 1024": (0.081, {"network": {"depth": 3, "width": 1024}} | ONE),
    "kernel, 400 points": (0.016, {"network": {"depth": 2, "width": 64}, "train_size": 400} | ONE),
    "flow, digits, relu, σ = 1": (0.64, {"optimizer": FLOW, "predict": []}),
    "flow, digits, relu, σ = 0.5": (1.23, {"optimizer": FLOW, "predict": []}),
}
EASY = {  # targets of a teacher on the sphere
    "flow": (0.207, {"optimizer": FLOW, "predict": []}),
    "flow, width 64, tolerance 1e-2": (
        0.024,
        {"network": {"depth": 2, "width": 64}, "optimizer": FLOW | {"tolerance": 1e-2}, "predict": []},
    ),
}


# What is predicted in many steps or pieces, from the journal of a default run: untrained networks,
# whose minimizers alone cost anything.
ADAGRAD = {"network": {"depth": 2, "width": 256}, "optimizer": {"name": "adagrad", "lr": 0.01}}
PREDICTED = ["linearized", "preconditioned_start", "self_consistent", "adagrad_flow"]
RECORDED |= {
    "flow of AdaGrad, 80 points": (1.8, ADAGRAD | ONE | {"predict": PREDICTED, "train_size": 80}),
    "flow of AdaGrad, 40 points": (0.64, ADAGRAD | ONE | {"predict": PREDICTED}),
}


@pytest.mark.parametrize(("measured", "cell"), RECORDED.values(), ids=RECORDED)
def test_recorded_cells_are_priced_within_a_factor_of_three(measured, cell):
    assert measured / 3 < seconds(**cell) < 3 * measured


@pytest.mark.parametrize(("measured", "cell"), EASY.values(), ids=EASY)
def test_a_flow_to_an_easy_target_is_priced_as_one_to_digits(measured, cell):
    """The plan does not know how many steps it will take: from the same start to other data, a thirtieth."""
    assert measured < seconds(**cell) < 30 * measured


MORE = {
    "steps": ({"stop": {"max_steps": 100}}, {"stop": {"max_steps": 1000}}),
    "width": ({"network": SHAPE | {"width": 64}}, {}),
    "depth": ({"network": SHAPE | {"depth": 2}}, {}),
    "points": ({}, {"train_size": 80}),
    "antisymmetric copies": ({}, {"init": {"scheme": "antisymmetric"}}),
    "points in a batch": tuple(
        {"optimizer": {"name": "sgd", "batch_size": size, "lr": 1e-4}, "predict": []} for size in (1, 20)
    ),
    "an optimizer by coordinates": ({"optimizer": ABSOLUTE}, {"optimizer": {"name": "adam", "lr": 1e-4}}),
    "a tighter flow": tuple({"optimizer": FLOW | {"tolerance": tol}} for tol in (1e-2, 1e-3)),
    "points of a flow": ({"optimizer": FLOW}, {"optimizer": FLOW, "train_size": 80}),
    "predictions": ({"optimizer": ABSOLUTE, "predict": []}, {"optimizer": ABSOLUTE}),
    "a linearized run": tuple(
        ADAGRAD | {"predict": ["linearized_trained"], "linearized_run": {"max_steps": steps}}
        for steps in (100, 10_000)
    ),
    "a run on the kernel": tuple(
        {"optimizer": {"name": name, "lr": 1e-4}, "predict": ["linearized_trained"]}
        for name in ("gd", "heavy_ball")
    ),
    "smaller pieces": tuple(
        ADAGRAD | {"predict": ["adagrad_flow"], "linearized_run": {"growth": growth}}
        for growth in (1.3, 1.03)
    ),
    "a relative rate": ({"optimizer": ABSOLUTE, "predict": []}, {"predict": []}),
    "double precision": ({"dtype": "float32"}, {"dtype": "float64"}),
}


@pytest.mark.parametrize(("less", "more"), MORE.values(), ids=MORE)
def test_more_costs_more(less, more):
    assert seconds(**less) < seconds(**more)


def test_a_flow_is_not_charged_for_steps_it_never_takes():
    few, many = (seconds(optimizer=FLOW, stop={"max_steps": steps}) for steps in (10_000, 10_000_000))
    assert few == many
    assert seconds(optimizer=FLOW, stop={"max_steps": 2}) < few


def test_costs_of_cells_add_up_to_a_job():
    (cell,) = grid(recipe=DATA, network=SHAPE).cells
    one = cell_cost(cell)
    assert (one + one).own_seconds == 2 * one.own_seconds
    assert job_memory_mb(one) < job_memory_mb(one + one)
    assert job_minutes(one, one) >= 1


def test_small_networks_share_the_operations_around_their_products():
    """A stack of them is one step; networks that fill the cache by themselves take as long as one by one."""
    small, large = (
        cell_cost(grid(recipe=DATA, network={"width": width, "depth": 3}, predict=[]).cells[0])
        for width in (8, 2048)
    )
    assert (small + small).seconds < 1.2 * small.seconds
    assert (large + large).seconds == pytest.approx(2 * large.seconds)


# MB of resident memory that a cell alone added to a process at its peak: recorded, not measured here.
PEAKS = {
    "decayed": 630,
    "preconditioned_start": 656,
    "self_consistent": 881,
    "adagrad_flow": 730,
    "adagrad_flow_end": 730,
    "linearized_trained": 780,
    "preconditioned_end": 709,
}


@pytest.mark.parametrize(("predictor", "peak"), PEAKS.items(), ids=PEAKS)
def test_predictors_that_work_on_parameters_ask_for_their_memory(predictor, peak):
    """They hold vectors of all parameters: at these shapes most of what a wide network's cell takes."""
    sections = {"network": {"width": 16384}, "optimizer": {"name": "adagrad", "lr": 1e-3}}
    shape = {"dimension": 512, "train_size": 40, "test_size": 60}
    (plain,) = grid(recipe=shape, predict=[], **sections).cells
    (cell,) = grid(recipe=shape, predict=[predictor], **sections).cells
    assert 0.8 * peak < cell_cost(cell).memory_mb < 1.5 * peak
    assert cell_cost(plain).memory_mb < 0.5 * cell_cost(cell).memory_mb


def fares(study):
    """Predicted over measured, of recorded jobs: seconds and memory."""
    rows = benchmark.rows_of(study)
    seconds = [benchmark.predicted_seconds(row, SECONDS) / row["cpu_seconds"] for row in rows]
    return np.array(seconds), np.array([benchmark.predicted_memory(row) / row["memory_mb"] for row in rows])


@pytest.mark.parametrize("study", ["cost", "held_out"])
def test_nine_of_ten_recorded_jobs_are_priced_within_a_factor_of_two(study):
    """`held_out` has other shapes than those to which the coefficients were fitted. How many steps a flow
    takes its config does not tell: a factor of five."""
    ratios, _ = fares(study)
    flows = np.array([benchmark.is_flow(row) for row in benchmark.rows_of(study)])
    assert (~flows).sum() >= 15
    assert np.mean((ratios[~flows] > 0.5) & (ratios[~flows] < 2)) >= 0.9
    assert np.all((ratios[flows] > 0.2) & (ratios[flows] < 5))


@pytest.mark.parametrize("study", ["cost", "held_out"])
def test_no_recorded_job_took_a_fifth_more_memory_than_it_asked_for(study):
    _, ratios = fares(study)
    assert ratios.min() > 1 / 1.2


def test_the_benchmark_finds_the_coefficients_it_is_given():
    """Jobs that cost exactly what the model says give its coefficients back."""
    other = {name: 2 * value for name, value in SECONDS.items()}
    rows = [row for row in benchmark.rows_of("cost") if not benchmark.is_flow(row)]
    made_up = [row | {"cpu_seconds": benchmark.predicted_seconds(row, other)} for row in rows]
    found = benchmark.fit(made_up)
    again = [benchmark.predicted_seconds(row, found) / row["cpu_seconds"] for row in made_up]
    np.testing.assert_allclose(again, 1, rtol=0.1)
