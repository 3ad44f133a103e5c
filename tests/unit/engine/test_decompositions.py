"""Decompositions by either library are the same, and the choice is that of products."""

import pytest
import torch

from minima.engine import products
from minima.engine.decompositions import eigh, eigvalsh


def kernel(size=30, networks=2):
    """Positive definite matrices [E, n, n]."""
    generator = torch.Generator().manual_seed(0)
    factor = torch.randn(networks, size, size, generator=generator, dtype=torch.float64)
    return factor @ factor.mT + torch.eye(size, dtype=torch.float64)


@pytest.mark.parametrize("library", products.LIBRARIES)
def test_eigenvectors_make_the_matrix_again(library):
    with products.by(library):
        values, vectors = eigh(kernel())
        alone = eigvalsh(kernel())
    torch.testing.assert_close(vectors * values.unsqueeze(1) @ vectors.mT, kernel(), rtol=0, atol=1e-11)
    torch.testing.assert_close(alone, values, rtol=0, atol=1e-11)
    assert (values.diff(dim=1) >= 0).all()
