"""Products are the same by either library, and the choice between them is the machine's."""

import pytest
import torch

from minima.engine import products

SHAPES = [((2, 3, 4), (2, 4, 5)), ((1, 90, 80), (1, 80, 70)), ((2, 1, 6), (2, 6, 4))]


def factors(a, b, dtype=torch.float64):
    torch.manual_seed(0)
    return torch.randn(a, dtype=dtype), torch.randn(b, dtype=dtype)


@pytest.mark.parametrize("transposed", [False, True])
@pytest.mark.parametrize(("scale", "add"), [(1.0, False), (0.5, False), (1.0, True), (0.5, True)])
@pytest.mark.parametrize(("left", "right"), SHAPES)
@pytest.mark.parametrize("library", products.LIBRARIES)
def test_a_product_is_written_where_it_belongs(library, left, right, scale, add, transposed):
    """Scaled, added or not, into views as well, and as often as it is called."""
    a, b = factors(left, right)
    if transposed:
        a, b = a.mT.contiguous().mT, b.mT.contiguous().mT
    whole = torch.ones(left[0], left[1], right[2] + 3, dtype=torch.float64)
    out = whole[:, :, : right[2]]
    with products.by(library):
        call = products.product(a, b, out, scale, add)
    for times in (1, 2):
        call()
        expected = scale * torch.einsum("bik,bkj->bij", a, b)
        torch.testing.assert_close(out, 1 + times * expected if add else expected, rtol=1e-13, atol=1e-13)
    assert (whole[:, :, right[2] :] == 1).all()


@pytest.mark.parametrize("library", products.LIBRARIES)
def test_matmul_is_a_product(library):
    """On memory of its own, and where it is told to write: to a part of a larger array, say."""
    for left, right in SHAPES:
        a, b = factors(left, right)
        whole = torch.ones(left[0], left[1] * right[2] + 3, dtype=torch.float64)
        out = whole[:, :-3].unflatten(1, (left[1], right[2]))
        with products.by(library):
            torch.testing.assert_close(products.matmul(a, b), a @ b, rtol=1e-13, atol=1e-13)
            products.matmul(a, b, out=out)
        torch.testing.assert_close(out, a @ b, rtol=1e-13, atol=1e-13)
        assert (whole[:, -3:] == 1).all()


def test_the_choice_can_be_fixed_and_is_told():
    """It depends on sizes and processor alone, and ends with the block that made it."""
    before = products.described()
    small, large = (4, 4), (2000, 2000)
    for library in products.LIBRARIES:
        with products.by(library):
            assert products.library(small) == products.library(large) == products.described() == library
    with products.by("auto"):
        assert products.library(small) == "numpy"
        assert products.library(large) == ("numpy" if products.is_amd() else "torch")
    assert products.described() == before
    with pytest.raises(ValueError, match="fastest"), products.by("fastest"):
        pass
