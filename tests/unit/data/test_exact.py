"""Arrays whose digests key trained cells: the same bits by every kernel, thread count and register width."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from minima.data.exact import orthonormalized, product

SCRIPTS = str(Path(__file__).parents[3] / "workflow_scripts")
# One recipe of every source that draws and of every normalization that computes.
RECIPES = [
    {"source": "linear_teacher", "dimension": 400, "train_size": 100, "outputs": 3},
    {"source": "linear_teacher", "spectrum": "random", "outputs": 3},
    {"source": "linear_teacher", "spectrum": "even", "condition": 9.0, "dimension": 100},
    {"source": "sphere_teacher", "dimension": 30, "teacher_width": 50},
    {"source": "moons"},
    {"source": "blobs", "normalize": "unit"},
    {"source": "breast_cancer", "normalize": "standardize"},
    {"source": "digits", "labels": "onehot", "normalize": "channels"},
    {"source": "digits", "labels": "onehot", "normalize": "centre"},
    {"source": "cone", "cosine": 0.1},
    {"source": "cone", "cosine": 0.1, "permuted": True},
    {
        "source": "digits",
        "labels": "onehot",
        "normalize": "sphere",
        "confusion": {"copies": 2, "zeroed": 0.3},
    },
    {"source": "digits", "labels": "onehot", "normalize": "whiten", "train_size": 40},
    {"source": "diabetes", "labels": "value", "normalize": "standardize"},
]
CHILD = """
import json, sys
from minima.data.prepare import prepare
recipes = json.loads(sys.argv[1])
print(json.dumps([prepare(recipe, [0, 1], ".").digest.values.tolist() for recipe in recipes]))
"""


def kernels():
    """Two OpenBLAS kernels that this processor runs, or its own where none is known."""
    info = Path("/proc/cpuinfo")
    flags = info.read_text() if info.exists() else ""
    known = {"SkylakeX": "avx512vl", "Haswell": "avx2", "Nehalem": "sse4_2"}
    return ([name for name, flag in known.items() if flag in flags] + ["", ""])[:2]


def test_digests_do_not_depend_on_kernel_threads_or_register_width():
    """One kernel on one thread, and another on two of which NumPy's own loops may not use wide registers."""
    wide = " ".join(np.show_config(mode="dicts")["SIMD Extensions"].get("found", []))
    children = []
    for kernel, threads, disabled in zip(kernels(), "12", ("", wide), strict=True):
        place = {"OPENBLAS_CORETYPE": kernel, "NPY_DISABLE_CPU_FEATURES": disabled}
        place = {name: value for name, value in place.items() if value}
        environment = os.environ | {"OPENBLAS_NUM_THREADS": threads, "PYTHONPATH": SCRIPTS} | place
        command = [sys.executable, "-c", CHILD, json.dumps(RECIPES)]
        children.append(subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment))
    one, other = (json.loads(child.communicate()[0]) for child in children)
    for recipe, expected, found in zip(RECIPES, one, other, strict=True):
        assert found == expected, recipe


@pytest.mark.parametrize("terms", [1, 2, 400, 70_000])
def test_a_product_is_closer_than_rounding_each_sum(terms):
    """Against sums in long double: within a rounding or two of the largest product, however many terms."""
    rng = np.random.default_rng(terms)
    a, b = rng.normal(size=(4, terms)), rng.normal(size=(terms, 3))
    exact = (a.astype(np.longdouble)[:, :, None] * b.astype(np.longdouble)).sum(1)
    scale = np.abs(a) @ np.abs(b)
    assert (np.abs(product(a, b) - exact) <= 2.0**-52 * scale).all()


def test_a_product_takes_rows_of_zeros_and_of_other_sizes():
    a = np.array([[0.0, 0.0], [1e-200, 3e-200], [1e150, -1e150]])
    np.testing.assert_array_equal(product(a, np.eye(2)), a)


@pytest.mark.parametrize("condition", [1.0, 1e3, 1e8])
def test_orthonormal_rows_are_those_of_the_singular_value_decomposition(condition):
    """U = W Φᵀ and Z = W Σ^{−½} Wᵀ, up to rounding times the condition number; U Uᵀ = 1 to rounding alone."""
    rng = np.random.default_rng(0)
    w, _ = np.linalg.qr(rng.normal(size=(20, 20)))
    rows, _ = np.linalg.qr(rng.normal(size=(50, 20)))
    roots = np.geomspace(1, 1 / condition, 20)
    u, z = orthonormalized(7 * (w * roots) @ rows.T)
    nearly = {"rtol": 0, "atol": 1e-15 * max(10, condition)}
    np.testing.assert_allclose(u @ u.T, np.eye(20), rtol=0, atol=1e-14)
    np.testing.assert_allclose(u, w @ rows.T, **nearly)
    np.testing.assert_allclose(7 * z / condition, (w / roots / condition) @ w.T, **nearly)
