"""A probe, a predictor and a reference of a user's own: one module each, which says all of itself."""

import numpy as np
import pytest
from tests.unit.helpers import arrays, cell, grid, trained

from minima.jobs.fit_reference import regressions
from minima.plan import parts
from minima.plan.axes import reserved
from minima.plan.cost import cell_cost
from minima.plan.marks import variables
from minima.plan.mistakes import ConfigError

PROBE = '''from minima.plan.marks import ProbeOfLayers


class Largest(ProbeOfLayers):
    """Largest weight of each layer."""

    dims = ("height",)
    units = "cm"


def measure(state):
    return of_weights(state.ensemble, state.weights)


def of_weights(ensemble, weights):
    import torch

    return torch.stack([weight.abs().amax((1, 2, 3)) for weight in weights], dim=1)
'''
PREDICTOR = '''from minima.plan.marks import Predictor


class Halfway(Predictor):
    """Half of the way to the linearized limit."""

    on_parameters = True


def predict(linearization):
    dual = linearization.solve(linearization.kernel, linearization.error)
    return linearization.of_dual(dual / 2)
'''
REFERENCE = '''from pydantic import Field

from minima.plan.references import KernelRegression


class Laplace(KernelRegression):
    """exp(−‖x − x'‖/s)."""

    scale: list[float] = Field([1.0], description="s.")


def choices(options, features):
    return [{"scale": scale} for scale in options["scale"]]


def kernel(x1, x2, *network, scale):
    import numpy as np

    other = x1 if x2 is None else x2
    return np.exp(-np.linalg.norm(x1[:, None] - other[None], axis=2) / scale)
'''


@pytest.fixture
def own(tmp_path):
    written = {"probes/largest": PROBE, "predictors/halfway": PREDICTOR, "references/laplace": REFERENCE}
    for name, text in written.items():
        path = tmp_path / f"{name}.py"
        path.parent.mkdir()
        path.write_text(text)
    parts.extend([tmp_path])
    yield
    parts.extend([])


def test_a_users_probe_and_predictor_are_recorded_under_their_names(own):
    fields = cell(record={"probes": ["largest"]}, predict=["linearized", "halfway"], stop={"max_steps": 3})
    (values,) = trained([fields], arrays())
    assert values["largest_path"].shape[1:] == values["largest"].shape == (2,)
    halved = values["start_test"] + (values["linearized_test"] - values["start_test"]) / 2
    np.testing.assert_allclose(values["halfway_test"], halved, atol=1e-10)


def test_what_they_say_of_themselves_is_what_a_dataset_says(own):
    stored = variables()
    assert stored["largest_path"] == (("step", "height"), "largest weight of each layer", "cm")
    assert stored["largest"].long_name == "largest weight of each layer at the end"
    assert stored["halfway_length"].long_name == "‖θ − θ₀‖, half of the way to the linearized limit"
    assert {"height", "largest_path"} <= reserved()


def test_what_they_need_and_cost_is_known_to_the_plan(own):
    one, none = (grid(predict=names).cells[0] for names in (["halfway"], ["linearized"]))
    assert cell_cost(one).memory_mb > cell_cost(none).memory_mb
    network = {"kind": "dense", "hidden": [4]}
    with pytest.raises(ConfigError, match=r"largest needs network.kind: mlp, not dense"):
        grid(network=network, init={"scheme": "kaiming"}, record={"probes": ["largest"]}, predict=["halfway"])


def test_a_users_kernel_is_fitted_for_each_of_its_numbers(own):
    split = arrays()
    options = {"alpha": [0.0, 0.1], "scale": [0.5, 2.0]}
    fitted = [
        *regressions(parts.load("references", "laplace"), options, split.x_train, split.y_train, split.x_test)
    ]
    assert [one.label for one in fitted] == [
        "laplace scale=0.5",
        "laplace scale=0.5 alpha=0.1",
        "laplace scale=2",
        "laplace scale=2 alpha=0.1",
    ]
    np.testing.assert_allclose(fitted[0].train, split.y_train, atol=1e-8)


def test_without_their_folder_they_are_gone(own):
    parts.extend([])
    assert "largest_path" not in variables()
    assert "height" not in reserved()
