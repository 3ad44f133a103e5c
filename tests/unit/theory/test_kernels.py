"""Analytic NNGP and NTK against neural-tangents, high-precision arithmetic and wide finite networks."""

import tracemalloc
from itertools import pairwise
from pathlib import Path

import mpmath
import numpy as np
import pytest
import torch

from minima.theory import kernels
from minima.theory.kernels import ACTIVATIONS, nngp, nngp_and_ntk, nngp_diagonal, ntk

GOLDEN = Path(__file__).parents[2] / "golden" / "neural_tangents.npz"
TORCH_ACTIVATIONS = {"relu": torch.relu, "erf": torch.erf, "linear": lambda h: h}
SCALES = [(1.0, 0.0), (1.4, 0.3)]


@pytest.fixture(scope="module")
def golden():
    with np.load(GOLDEN, allow_pickle=False) as archive:
        return dict(archive)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("depth", [1, 2, 3, 4])
def test_kernels_agree_with_neural_tangents(golden, activation, depth):
    """The convention (fan-in, weight_std, bias_std, depth, plain ReLU) is the library's, to 1e-12."""
    chosen = np.flatnonzero((golden["activation"] == activation) & (golden["depth"] == depth))
    assert len(chosen) == 3
    for i in chosen:
        scales = float(golden["weight_std"][i]), float(golden["bias_std"][i])
        ours = nngp_and_ntk(golden["x1"], golden["x2"], depth, activation, *scales)
        np.testing.assert_allclose(ours.nngp, golden["nngp"][i], rtol=1e-12)
        np.testing.assert_allclose(ours.ntk, golden["ntk"][i], rtol=1e-12)


def relu_oracle(x, y, depth, weight_std, bias_std):
    """(K, Θ) of ReLU networks in 60 digits, from the cosines, for two lists of floats."""
    with mpmath.workdps(60):
        w2, b2 = mpmath.mpf(weight_std) ** 2, mpmath.mpf(bias_std) ** 2
        x, y = [mpmath.mpf(float(v)) for v in x], [mpmath.mpf(float(v)) for v in y]
        xx, xy, yy = (w2 * mpmath.fdot(p, q) / len(x) + b2 for p, q in ((x, x), (x, y), (y, y)))
        tangent = xy
        for _ in range(depth - 1):
            length = mpmath.sqrt(xx * yy)
            cosine = min(xy / length, mpmath.mpf(1))
            angle = mpmath.acos(cosine)
            xy = w2 * length * (mpmath.sin(angle) + (mpmath.pi - angle) * cosine) / (2 * mpmath.pi) + b2
            tangent = xy + w2 * tangent * (mpmath.pi - angle) / (2 * mpmath.pi)
            xx, yy = w2 * xx / 2 + b2, w2 * yy / 2 + b2
        return float(xy), float(tangent)


@pytest.mark.parametrize("depth", [2, 3, 4])
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("distance", [0.0, 1e-15, 1e-12, 1e-8, 1e-4, 1e-2, 0.05, 1.0])
def test_near_duplicates_keep_twelve_digits(depth, scales, distance):
    """The kink of the ReLU kernel at equal points costs no digits: 1e-12 against 60-digit arithmetic."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(4, 9))
    y = x + distance * rng.normal(size=x.shape)
    y[3] = x[3] * (1 + distance)  # parallel, of another length
    ours = nngp_and_ntk(x, y, depth, "relu", *scales)
    for i in range(len(x)):
        oracle = relu_oracle(x[i], y[i], depth, *scales)
        np.testing.assert_allclose((ours.nngp[i, i], ours.ntk[i, i]), oracle, rtol=1e-12)


@pytest.mark.parametrize("scales", SCALES)
def test_opposite_points_keep_twelve_digits(scales):
    """x and nearly −x, where the angle is ill-conditioned in the cosine too (relative to the lengths)."""
    x = np.random.default_rng(2).normal(size=(3, 6))
    y = -x + np.array([0, 1e-9, 1e-3])[:, None]
    ours = nngp_and_ntk(x, y, 3, "relu", *scales)
    lengths = np.sqrt(np.diag(ntk(x, depth=3, weight_std=scales[0], bias_std=scales[1])))
    for i in range(len(x)):
        oracle = relu_oracle(x[i], y[i], 3, *scales)
        np.testing.assert_allclose((ours.nngp[i, i], ours.ntk[i, i]), oracle, atol=1e-12 * lengths[i] ** 2)


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("scales", SCALES)
@pytest.mark.parametrize("depth", [1, 2, 3])
def test_a_kernel_of_points_with_themselves_is_symmetric_and_positive(activation, scales, depth):
    """Bitwise symmetric, no eigenvalue below −rounding, diagonal that of nngp_diagonal, duplicates in."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(30, 5))
    x = np.concatenate([x, x[:10] + 1e-9 * rng.normal(size=(10, 5)), x[:5], -x[:5], np.zeros((1, 5))])
    for kernel in nngp_and_ntk(x, None, depth, activation, *scales):
        assert np.array_equal(kernel, kernel.T)
        assert np.linalg.eigvalsh(kernel).min() > -1e-14 * np.trace(kernel)
    variances = nngp_diagonal(x, depth, activation, *scales)
    np.testing.assert_allclose(np.diag(nngp(x, None, depth, activation, *scales)), variances, rtol=1e-14)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_blocks_do_not_show(monkeypatch, activation):
    """Row blocks and the mirrored triangle change no value, with one argument or two."""
    x = np.random.default_rng(4).normal(size=(23, 6))
    x[7] = x[2]
    whole = nngp_and_ntk(x, None, 3, activation, 1.2, 0.1)
    monkeypatch.setattr(kernels, "BLOCK", 60)
    for blocked in (
        nngp_and_ntk(x, None, 3, activation, 1.2, 0.1),
        nngp_and_ntk(x, x.copy(), 3, activation, 1.2, 0.1),
    ):
        np.testing.assert_allclose(blocked.nngp, whole.nngp, rtol=0, atol=1e-14 * whole.nngp.max())
        np.testing.assert_allclose(blocked.ntk, whole.ntk, rtol=0, atol=1e-14 * whole.ntk.max())
    assert np.array_equal(
        ntk(x, None, 3, activation, 1.2, 0.1), nngp_and_ntk(x, None, 3, activation, 1.2, 0.1).ntk
    )


@pytest.mark.parametrize("kernel", [ntk, nngp])
@pytest.mark.parametrize("symmetric", [True, False])
def test_memory_is_the_outputs(kernel, symmetric):
    """What a kernel needs beside its output does not grow with n: at n = 10⁴, 24 MB of blocks beside 800."""
    beside = []
    for n in (500, 1000, 2000):
        x = np.random.default_rng(7).normal(size=(n, 16))
        tracemalloc.start()
        found = kernel(x, None if symmetric else x.copy(), depth=3)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        beside.append(peak - found.nbytes)
    assert max(beside) < 24e6


@pytest.mark.parametrize(("activation", "depth"), [("relu", 2), ("relu", 4), ("erf", 3)])
def test_kernels_of_different_directions_are_positive_definite(activation, depth):
    """No eigenvalue at 0: 300 points in 12 dimensions, far more than a linear kernel could tell apart."""
    x = np.random.default_rng(8).normal(size=(300, 12))
    for kernel in nngp_and_ntk(x, None, depth, activation):
        eigenvalues = np.linalg.eigvalsh(kernel)
        assert eigenvalues[0] > 1e-10 * eigenvalues[-1]


@pytest.mark.parametrize("activation", ["relu", "linear"])
@pytest.mark.parametrize("depth", [2, 3])
def test_homogeneous_networks_scale_by_powers_of_sigma(activation, depth):
    """K ∝ σ^{2H}; the NTK of weights drawn from N(0, σ²), ntk/σ², ∝ σ^{2(H−1)}: the off-by-one trap."""
    x = np.random.default_rng(5).normal(size=(6, 4))
    sigma = 1.7
    at_one, at_sigma = (nngp_and_ntk(x, None, depth, activation, s) for s in (1.0, sigma))
    np.testing.assert_allclose(at_sigma.nngp, sigma ** (2 * depth) * at_one.nngp, rtol=1e-13)
    np.testing.assert_allclose(at_sigma.ntk / sigma**2, sigma ** (2 * (depth - 1)) * at_one.ntk, rtol=1e-13)


def empirical_kernels(x, width, depth, activation, sigma, seed):
    """NTK by autograd and NNGP from the last features, weights drawn from N(0, σ²), no biases."""
    generator = torch.Generator().manual_seed(seed)
    sizes = [x.shape[1]] + [width] * (depth - 1) + [1]
    weights = [
        (sigma * torch.randn(m, n, generator=generator, dtype=torch.float64)).requires_grad_()
        for n, m in pairwise(sizes)
    ]
    hidden = torch.from_numpy(x)
    for layer, weight in enumerate(weights):
        hidden = TORCH_ACTIVATIONS[activation](hidden) if layer else hidden
        features = hidden / hidden.shape[1] ** 0.5
        hidden = features @ weight.T
    gradients = [torch.autograd.grad(output, weights, retain_graph=True) for output in hidden[:, 0]]
    tangent = torch.tensor(
        [[sum((p * q).sum() for p, q in zip(g, h, strict=True)) for h in gradients] for g in gradients]
    )
    return (sigma**2 * features @ features.T).detach().numpy(), tangent.numpy()


@pytest.mark.parametrize(
    ("activation", "depth", "width"),
    [("relu", 2, 4096), ("erf", 2, 4096), ("linear", 2, 4096), ("relu", 3, 1024), ("erf", 3, 1024)],
)
def test_wide_random_networks_have_these_kernels(activation, depth, width):
    """Finite nets with weights N(0, σ²) have kernels (K, Θ/σ²) up to O(1/√width).

    Relative to √(K(x,x)K(y,y)), the noisiest entry's standard error is 2.6 (H = 2) or 4.3 (H = 3) over
    √(width·draws); the tolerance is 10 in these units: 8 % and 16 %, where a misplaced σ² or 2 costs 40 %.
    """
    sigma, draws = 1.3, 4
    x = np.random.default_rng(6).normal(size=(3, 5))
    finite = [empirical_kernels(x, width, depth, activation, sigma, seed) for seed in range(draws)]
    expected = nngp_and_ntk(x, None, depth, activation, sigma)
    for measured, kernel in zip(
        np.mean(finite, axis=0), (expected.nngp, expected.ntk / sigma**2), strict=True
    ):
        lengths = np.sqrt(np.outer(np.diag(kernel), np.diag(kernel)))
        assert np.abs((measured - kernel) / lengths).max() < 10 / np.sqrt(width * draws)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"activation": "tanh"}, "tanh.*not one of erf, linear, relu"),
        ({"depth": 0}, "depth is 0"),
        ({"depth": 2.5}, "whole number"),
        ({"weight_std": 0.0}, "weight_std > 0"),
        ({"x2": np.ones((2, 4))}, "3 features but x2 has 4"),
        ({"x2": np.ones(3)}, r"x2 has shape \(3,\)"),
    ],
)
def test_bad_arguments_are_named(arguments, message):
    """Mistakes are ValueErrors that name the argument."""
    with pytest.raises(ValueError, match=message):
        ntk(np.ones((2, 3)), **arguments)
