"""The solver ladder climbs exactly as far as a matrix needs, and reports it."""

import numpy as np
import pytest

from minima.theory.solve import factorize, solve


def spectrum_matrix(eigenvalues, seed=0):
    vectors = np.linalg.qr(np.random.default_rng(seed).normal(size=(len(eigenvalues),) * 2))[0]
    matrix = (vectors * eigenvalues) @ vectors.T
    return (matrix + matrix.T) / 2


def test_a_regular_matrix_is_solved_as_it_is():
    """No jitter where none is needed, for one and for several right-hand sides."""
    kernel = spectrum_matrix(np.geomspace(1, 1e-6, 20))
    rhs = np.random.default_rng(1).normal(size=(20, 3))
    solution = solve(kernel, rhs)
    assert (solution.solver, solution.jitter, solution.rank) == ("cholesky", 0.0, 20)
    np.testing.assert_allclose(kernel @ solution.x, rhs, atol=1e-8)
    np.testing.assert_allclose(solve(kernel, rhs[:, 1]).x, solution.x[:, 1], rtol=1e-8)


def test_a_singular_matrix_gets_the_smallest_jitter_that_works():
    """Singular to rounding, right-hand side in range: jitter within the ladder, recorded, equation kept."""
    kernel = spectrum_matrix(np.r_[np.ones(15), np.zeros(5)])
    rhs = kernel @ np.random.default_rng(2).normal(size=20)
    solution = solve(kernel, rhs)
    relative = solution.jitter / (np.trace(kernel) / 20)
    assert solution.solver == "cholesky"
    assert np.isclose(relative, [1e-14, 1e-13, 1e-12, 1e-11, 1e-10]).any()
    np.testing.assert_allclose(kernel @ solution.x, rhs, atol=1e-8)


def test_a_contradiction_gets_the_least_squares_answer():
    """One point twice with two labels: their mean with the smallest coefficients, not 1/jitter."""
    points = np.random.default_rng(3).normal(size=(6, 4))
    points[5] = points[0]
    kernel = points @ points.T + np.ones((6, 6))  # rank 5
    labels = np.array([1.0, 0.2, -0.3, 0.4, 0.5, -1.0])
    solution = solve(kernel, labels)
    assert (solution.solver, solution.rank) == ("eigh", 5)
    np.testing.assert_allclose(kernel @ solution.x, [0, 0.2, -0.3, 0.4, 0.5, 0], atol=1e-10)
    np.testing.assert_allclose(solution.x, np.linalg.pinv(kernel) @ labels, atol=1e-8)


def test_an_indefinite_matrix_falls_through_to_its_positive_part():
    """What jitter cannot mend is solved on the eigenvectors above rounding, and the rank says so."""
    kernel = spectrum_matrix(np.r_[np.ones(8), -1e-6, -1e-6])
    factorization = factorize(kernel)
    assert (factorization.solver, factorization.jitter, factorization.rank) == ("eigh", 0.0, 8)
    rhs = np.random.default_rng(4).normal(size=(10, 2))
    np.testing.assert_allclose(
        factorization.solve(rhs), spectrum_matrix(np.r_[np.ones(8), 0, 0]) @ rhs, atol=1e-12
    )


def test_a_zero_matrix_has_a_zero_solution():
    """No division by a zero trace."""
    solution = solve(np.zeros((3, 3)), np.ones(3))
    assert solution.rank == 0
    assert not solution.x.any()


def test_a_matrix_is_not_overwritten():
    """The caller's kernel is used again for predictions."""
    kernel = spectrum_matrix(np.r_[np.ones(4), 0.0])
    before = kernel.copy()
    solve(kernel, np.ones(5))
    assert np.array_equal(kernel, before)


@pytest.mark.parametrize(
    ("kernel", "message"), [(np.ones((2, 3)), "square"), (np.full((2, 2), np.nan), "NaN")]
)
def test_bad_matrices_are_refused(kernel, message):
    """A NaN in a kernel stops here, not as a NaN in a figure."""
    with pytest.raises(ValueError, match=message):
        solve(kernel, np.ones(2))
