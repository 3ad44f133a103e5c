import numpy as np
import pytest

from minima.streams import stream


def test_a_stream_is_fixed_by_seed_and_name():
    first = stream(3, "weights").standard_normal(5)
    stream(3, "batches").standard_normal(100)
    np.testing.assert_array_equal(first, stream(np.int64(3), "weights").standard_normal(5))


@pytest.mark.parametrize(("seed", "name"), [(4, "weights"), (3, "batches"), (33, "weights"), (-3, "weights")])
def test_other_seeds_and_names_give_other_streams(seed, name):
    assert not np.isin(stream(seed, name).random(5), stream(3, "weights").random(5)).any()


def test_neighbouring_seeds_are_uncorrelated():
    draws = np.array([stream(seed, "noise").standard_normal(2000) for seed in range(20)])
    correlations = np.corrcoef(draws)[np.triu_indices(20, 1)]
    assert np.abs(correlations).max() < 5 / np.sqrt(2000)


def test_the_key_is_pinned():
    """Another key would silently redraw every cell."""
    assert stream(0, "weights").bit_generator.random_raw() == 1937788423333815044
