"""Numbers in units of the kernel at the start are what they say, and what is kept of it predicts training."""

import numpy as np
import pytest
import torch
from tests.unit.helpers import arrays, cell, cells, trained

from minima.streams import stream
from minima.theory.dynamics import amplitudes, loss_curve
from minima.training import kernel_units

SPLIT = arrays(points=4)
# The theory's net: f = m^{−½} Σ_r a_r relu(w_r·x/√d), a = ±1 fixed.
THEORY = {"network": {"width": 64, "frozen": [2]}, "init": {"output": "sign"}, "predict": []}


def kernel_of_theory(seed, width=64):
    """H_ij = x_i·x_j/d · mean over units of 1{w·x_i > 0} 1{w·x_j > 0}, the ±1 of the output squared away."""
    weights = stream(seed, "weights/0").standard_normal((width, 5))
    active = (SPLIT.x_train @ weights.T > 0).astype(float)
    return SPLIT.x_train @ SPLIT.x_train.T / 5 * (active @ active.T / width)


def test_rate_and_momentum_of_the_slowest_mode():
    """ηλmin/N is the share asked for, μ = 1 − b√(ηλmin/N), of each network's own kernel."""
    settings = {
        "small": {"name": "heavy_ball", "lr": {"relative_to_least": 1e-3}, "momentum": {"damping": 0.5}},
        "absolute": {"name": "heavy_ball", "lr": 0.05, "momentum": {"damping": 2}},
        "plain": {"name": "heavy_ball", "lr": 0.05, "momentum": 0.3},
    }
    seeds = {"start": 0, "count": 2}
    many = cells({"optimizer": settings}, seed=seeds, stop={"max_steps": 1}, **THEORY)
    found = trained(many, SPLIT)
    least = {seed: np.linalg.eigvalsh(kernel_of_theory(seed))[0] for seed in (0, 1)}
    for one, values in zip(many, found, strict=True):
        share = values["learning_rate"] * least[one["seed"]] / 4
        optimizer = one["optimizer"]
        if optimizer["momentum"] == 0.3:
            assert (values["learning_rate"], values["momentum_used"]) == (0.05, 0.3)
            assert "kernel_min" not in values, "nobody asked for the kernel"
            continue
        wanted = 1e-3 if isinstance(optimizer["lr"], dict) else 0.05 * least[one["seed"]] / 4
        assert share == pytest.approx(wanted, rel=1e-9)
        damping = optimizer["momentum"]["damping"]
        assert values["momentum_used"] == pytest.approx(1 - damping * wanted**0.5, rel=1e-9)
    assert found[0]["learning_rate"] != found[1]["learning_rate"], "kernels differ between seeds"


@pytest.mark.parametrize("optimizer", ["heavy_ball", "nesterov"])
def test_the_momentum_that_is_recorded_is_the_one_that_trains(optimizer):
    """The same numbers given as absolute ones train to the same losses."""
    relative = {"name": optimizer, "lr": {"relative_to_least": 0.01}, "momentum": {"damping": 1.5}}
    more = {"stop": {"max_steps": 50, "residual": 1e-9}, **THEORY}
    (found,) = trained([cell(optimizer=relative, **more)], SPLIT)
    absolute = {"name": optimizer, "lr": found["learning_rate"], "momentum": found["momentum_used"]}
    (again,) = trained([cell(optimizer=absolute, **more)], SPLIT)
    assert found["loss"][-1] < found["loss"][0]
    np.testing.assert_array_equal(found["loss"], again["loss"])


def test_a_singular_kernel_has_no_slowest_mode():
    """Said with the mend, instead of an infinite step."""
    spectrum = np.array([-1e-17, 0.5, 1.0])
    with pytest.raises(ValueError, match=r"relative_to_least .* singular .* wider networks"):
        kernel_units.learning_rate({"relative_to_least": 0.1}, spectrum, 3)
    with pytest.raises(ValueError, match=r"damping .* singular"):
        kernel_units.momentum({"damping": 1.0}, 0.1, spectrum, 3)
    assert kernel_units.learning_rate(0.2, None, 3) == 0.2


def test_a_damping_too_strong_for_the_step_is_refused():
    """1 − b√(ηλmin/N) < 0 is no momentum; the message says which damping would be one."""
    spectrum = np.array([0.5, 1.0])
    with pytest.raises(ValueError, match=r"damping 4 is a momentum of -1 .* damping below 2"):
        kernel_units.momentum({"damping": 4.0}, 1.0, spectrum, 2)
    assert kernel_units.momentum({"damping": 1.0}, 1.0, spectrum, 2) == 0.5


@pytest.mark.parametrize("scheme", ["gaussian", "antisymmetric", "centred"])
def test_sign_outputs_are_the_signs_of_the_normal_ones(scheme):
    """±σ in the last layer, the sign that the normal draw has; the layers below do not change."""
    init = {"scheme": scheme, "scale": 2.0}
    keep = {"network": {"width": 7}, "keep_parameters": True, "stop": {"max_steps": 1}, "predict": []}
    tiny = {"optimizer": {"name": "gd", "lr": 1e-300}}
    (normal,) = trained([cell(init=init, **keep, **tiny)], SPLIT)
    (sign,) = trained([cell(init=init | {"output": "sign"}, **keep, **tiny)], SPLIT)
    last = 14 if scheme == "antisymmetric" else 7
    np.testing.assert_array_equal(sign["parameters"][:-last], normal["parameters"][:-last])
    np.testing.assert_array_equal(sign["parameters"][-last:], 2 * np.sign(normal["parameters"][-last:]))


@pytest.mark.parametrize("scheme", ["gaussian", "centred"])
def test_what_is_kept_of_the_kernel_predicts_the_curve_of_a_network_linear_in_its_weights(scheme):
    """Eigenvalues and the error's components: the loss at every step, the kernel standing still."""
    fields = THEORY | {"network": {"width": 16, "activation": "linear", "frozen": [2]}}
    fields |= {"record": {"spectrum": True, "steps": list(range(60))}, "init": {"scheme": scheme}}
    optimizer = {"name": "heavy_ball", "lr": {"relative": 0.3}, "momentum": {"damping": 0.5}}
    (done,) = trained([cell(optimizer=optimizer, stop={"max_steps": 60}, **fields)], SPLIT)
    assert done["loss"][0] == pytest.approx((done["start_error"] ** 2).sum() / 8, rel=1e-12)
    x = done["learning_rate"] / 4 * done["kernel_spectrum"]
    curve = loss_curve(
        amplitudes("heavy_ball", x, range(60), {"momentum": done["momentum_used"]}), done["start_error"]
    )
    np.testing.assert_allclose(curve, done["loss"] / done["loss"][0], rtol=1e-9)


def test_the_spectrum_is_that_of_the_theorys_kernel():
    """Unit-norm inputs x/√d, ±1 outputs, only the first layer trained: H, from the weights drawn by hand."""
    (done,) = trained([cell(seed=3, record={"spectrum": True}, stop={"max_steps": 1}, **THEORY)], SPLIT)
    np.testing.assert_allclose(done["kernel_spectrum"], np.linalg.eigvalsh(kernel_of_theory(3)), rtol=1e-9)
    assert (torch.tensor(done["kernel_spectrum"]).diff() >= 0).all()
