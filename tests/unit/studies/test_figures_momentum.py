"""The figures of `momentum`: tables with the numbers of a world whose truth is known, and pictures."""

import json
from importlib import import_module

import numpy as np
import pandas as pd
import pytest
from tests.unit.helpers import draw_figure
from tests.unit.momentum_world import block, tree

from minima.findings.drawing import read_table
from minima.findings.figures import loss_curves
from minima.findings.style import save, styled
from minima.plan.figures import figure_module

pytestmark = pytest.mark.filterwarnings("error")
EVERY = list(range(0, 3001, 4))
DAMPING = ("damping", "optimizer.momentum.damping", [0.5, 1.5, 3.0])
R = ("r", "optimizer.r", [2.0, 3.0, 6.0])
BETA = [("beta1", "optimizer.beta1", [0.0, 0.3]), ("beta2", "optimizer.beta2", [0.0, 0.5, 0.8])]
WIDTH = ("width", "network.width", [64, 256])
RELATIVE = ("relative", "optimizer.lr.share", [1e-2, 1e-3])
BLOCKS = {
    "loss_curves": ("ball", "nesterov"),
    "rate_vs_damping": ("ball",),
    "envelope_vs_r": ("nesterov",),
    "crossover": ("late",),
    "frozen_error": ("width", "ode"),
    "stability_map": ("two",),
}


def bend(curve, k, place):
    return curve + 0.1 * place["width"] ** -0.5 * (k == 50)


@pytest.fixture(scope="module")
def world():
    return tree(
        ball=block("heavy_ball", 1e-4, EVERY, [DAMPING]),
        nesterov=block("nesterov_convex", 1e-4, EVERY, [R]),
        late=block("nesterov_convex", 1e-3, list(range(0, 8001, 5)), [R]),
        width=block("heavy_ball", 1e-3, list(range(101)), [WIDTH], {"momentum": 0.9}, bend),
        ode=block("nesterov_convex", 0, list(range(0, 1001, 5)), [RELATIVE], {"r": 3.0}),
        two=block("higher_momentum", 1e-3, list(range(0, 1001, 10)), BETA),
    )


def table_of(name, world):
    return import_module(figure_module("momentum", name)).tabulate(world, *BLOCKS[name])


@pytest.mark.parametrize("name", BLOCKS)
def test_every_figure_is_drawn_from_its_written_table(name, world, tmp_path):
    """From the dataset's file to table and picture, and again to the same bytes from the table alone."""
    world.to_netcdf(tmp_path / "dataset.nc", engine="netcdf4")
    pictures = [tmp_path / "figure.png", tmp_path / "figure.svg"]
    draw_figure(
        figure_module("momentum", name),
        BLOCKS[name],
        tmp_path / "dataset.nc",
        tmp_path / "figure.csv",
        pictures,
    )
    assert all(path.stat().st_size > 3000 for path in pictures)
    with styled():
        again = import_module(figure_module("momentum", name)).draw(read_table(tmp_path / "figure.csv"))
        save(again, tmp_path / "again.png")  # in the same order: saving settles the layout
        save(again, tmp_path / "again.svg")
    assert (tmp_path / "again.svg").read_bytes() == pictures[1].read_bytes()
    assert import_module(figure_module("momentum", name)).CAPTION.endswith(".")


def test_loss_curves_are_the_first_networks_with_their_prediction(world):
    """Which in this world is the curve itself; a few hundred steps of each, from the first to the last."""
    table = table_of("loss_curves", world)
    np.testing.assert_allclose(table.trained, table.estimate, rtol=1e-6, atol=1e-20)
    assert list(dict.fromkeys(table.panel)) == ["ball", "nesterov"]
    for _, curve in table.groupby(["panel", "series"]):
        assert (curve.x.iloc[0], curve.x.iloc[-1], curve.trained.iloc[0]) == (0, 3000, 1)
        assert 300 < len(curve) <= 800


def test_loss_curves_need_no_prediction(world, tmp_path):
    """Any block has them, as docs/troubleshooting.md says: without a spectrum, places called by words."""
    node = world["trained/ball"].to_dataset().drop_vars(["kernel_spectrum", "start_error"])
    words = node.assign_coords(damping=["weak", "critical", "strong"])
    words.attrs["fixed"] = json.dumps({"network": {"width": 64}})  # the optimizer is on an axis
    words.to_netcdf(tmp_path / "dataset.nc", group="trained/main", engine="netcdf4")
    pictures = [tmp_path / "figure.png"]
    draw_figure(loss_curves.__name__, ["main"], tmp_path / "dataset.nc", tmp_path / "figure.csv", pictures)
    table = read_table(tmp_path / "figure.csv")
    assert set(table.series) == {"damping weak", "damping critical", "damping strong"}
    assert table.estimate.isna().all()
    trained = table[table.series == "damping weak"]
    losses = node.loss.isel(seed=0, damping=0).sel(step=trained.x.values)
    np.testing.assert_allclose(pd.to_numeric(trained.trained), losses / losses[0], rtol=1e-8)
    with styled():
        figure = loss_curves.draw(table)
    labels = [text.get_text() for text in figure.axes[1].get_legend().get_texts()]
    assert labels == ["damping weak", "damping critical", "damping strong"], "nothing is called a prediction"


def test_rates_follow_the_ode_through_the_critical_damping(world):
    """b where it swings, b − √(b² − 4) where it creeps, in units of √(ηλmin), trained and frozen alike."""
    table = table_of("rate_vs_damping", world)
    for b, rate in ((0.5, 0.5), (1.5, 1.5), (3.0, 3 - 5**0.5)):
        np.testing.assert_allclose(table[table.x == b].estimate, rate, rtol=0.1)


def test_envelopes_fall_with_the_power_r(world):
    table = table_of("envelope_vs_r", world)
    np.testing.assert_allclose(table.estimate, -table.x, atol=0.4)
    assert set(table.n) == {5}


def test_the_crossover_goes_from_level_to_exponential(world):
    """Relative to the first maximum beyond .1: near e^{−kηλ}, whatever r."""
    table = table_of("crossover", world)
    late = table[table.x > 2]
    levels = late.estimate / np.exp(-late.x)
    assert ((levels > 0.3) & (levels < 3)).all()
    assert late.x.max() > 7


def test_errors_of_width_and_of_the_step_stand_in_panels_of_their_own(world):
    table = table_of("frozen_error", world)
    width, ode = table[table.axis == "width"], table[table.axis == "relative"]
    np.testing.assert_allclose(width.estimate, 0.1 * width.x**-0.5, rtol=1e-6)
    assert ode.x.tolist() == [0.02, 0.002], "ηλmax is twice the fraction of the stability edge"
    assert ode.estimate.is_monotonic_decreasing
    assert set(ode.series) == {"nesterov_convex"}


def test_the_stability_map_knows_rates_and_who_left(world):
    """1 for gradient descent, 2 for β₁ + β₂ = ½, nobody at (.3, .8): networks as their frozen kernels."""
    table = table_of("stability_map", world).set_index(["panel", "x", "y"])
    for panel in ("trained", "frozen kernel"):
        assert table.estimate[panel, 0.0, 0.0] == pytest.approx(1, rel=0.2)
        assert table.estimate[panel, 0.0, 0.5] == pytest.approx(2, rel=0.2)
        assert table.diverged[panel, 0.3, 0.8] == 1
        assert pd.isna(table.estimate[panel, 0.3, 0.8])
        assert table.diverged[panel, 0.0, 0.8] == 0
