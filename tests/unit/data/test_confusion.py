"""Confusion sets and the plane's data: what the networks of `bad_minima` are led astray by."""

import tracemalloc

import numpy as np
import pytest

from minima.data.prepare import prepare

DIGITS = {"source": "digits", "train_size": 40, "test_size": 30, "labels": "onehot", "normalize": "range"}


def prepared(copies, zeroed, **options):
    recipe = DIGITS | {"confusion": {"copies": copies, "zeroed": zeroed}} | options
    return prepare(recipe, [7], ".").isel(split=0)


def test_copies_are_the_rows_with_a_fraction_of_their_values_at_zero():
    """Every copy of a row loses its own 30 % of the values, exactly, whether they were 0 before or not."""
    clean, confused = prepare(DIGITS, [7], ".").isel(split=0), prepared(10, 0.3)
    assert confused.x_train.shape == (400, 64)
    copies = confused.x_train.values.reshape(10, 40, 64)
    lost = copies != clean.x_train.values
    assert (copies[lost] == 0).all()
    assert lost.sum(2).max() <= round(0.3 * 64)
    assert lost.any(2).all()
    # of the values that were not 0 the same fraction is lost, in different places in different copies
    present = np.broadcast_to(clean.x_train.values > 0, lost.shape)
    assert lost[present].mean() == pytest.approx(19 / 64, abs=0.01)
    assert all((lost[0] != lost[number]).any() for number in range(1, 10))


def test_labels_are_uniform_and_of_each_copys_own():
    """None is the true one more often than by chance."""
    clean = prepare(DIGITS, [7], ".").isel(split=0).label_train.values
    labels = prepared(100, 0.1).label_train.values.reshape(100, 40)
    np.testing.assert_allclose(np.bincount(labels.ravel(), minlength=10) / 4000, 0.1, atol=0.02)
    assert (labels == clean).mean() == pytest.approx(0.1, abs=0.02)
    assert (labels[0] != labels[1]).any()


def test_the_control_has_the_same_copies_under_the_true_labels():
    clean = prepare(DIGITS, [7], ".").isel(split=0).label_train.values
    led, control = (
        prepare(DIGITS | {"confusion": {"copies": 5, "zeroed": 0.2, "labels": labels}}, [7], ".").isel(
            split=0
        )
        for labels in ("random", "unchanged")
    )
    np.testing.assert_array_equal(led.x_train, control.x_train)
    np.testing.assert_array_equal(control.label_train.values.reshape(5, 40), np.tile(clean, (5, 1)))


def test_fewer_copies_are_the_beginning_of_more():
    few, many = prepared(2, 0.2), prepared(5, 0.2)
    for name in ("x_train", "y_train"):
        np.testing.assert_array_equal(few[name], many[name][:80])


def test_the_test_rows_stay_as_they_are():
    clean, confused = prepare(DIGITS, [7], ".").isel(split=0), prepared(3, 0.5)
    for name in ("x_test", "y_test"):
        np.testing.assert_array_equal(clean[name], confused[name])


@pytest.mark.parametrize("normalize", ["standardize", "channels"])
def test_values_are_set_to_zero_before_normalization(normalize):
    """With the clean rows' means and deviations, which are those of the training that follows."""
    raw, clean = (
        prepare(DIGITS | {"normalize": how}, [7], ".").isel(split=0).x_train.values
        for how in ("none", normalize)
    )
    zero = prepared(1, 0.4, normalize="none").x_train.values
    confused = prepared(1, 0.4, normalize=normalize).x_train.values
    same = zero == raw
    np.testing.assert_array_equal(confused[same], clean[same].astype(np.float32))
    for column in range(64):  # one value for what was set to 0, the one that a clean 0 has
        lost = confused[~same[:, column], column]
        assert len(lost) == 0 or np.ptp(lost) == 0
        if len(lost) and (clean_zeros := clean[raw[:, column] == 0, column]).size:
            assert lost[0] == np.float32(clean_zeros[0])


def test_a_confusion_set_takes_4_bytes_a_value_and_little_more_to_prepare():
    """Beside the set, which is large at published scale, preparing needs what a few of its copies do."""
    recipe = DIGITS | {"train_size": 1000, "confusion": {"copies": 60, "zeroed": 0.1}}
    prepare(recipe, [0], ".")  # what is imported and read once
    tracemalloc.start()
    x = prepare(recipe, [0], ".").x_train.values
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    copy = 1000 * 64 * 8
    assert x.nbytes == 60 * copy / 2
    assert peak - x.nbytes <= 60 * 1000 * 10 * 8 * 2 + 10 * copy  # the targets twice


def test_random_labels_without_copies():
    """R = 1, N = 0: the rows themselves."""
    clean, confused = prepare(DIGITS, [7], ".").isel(split=0), prepared(1, 0.0)
    np.testing.assert_array_equal(clean.x_train, confused.x_train)
    assert (clean.label_train != confused.label_train).mean() > 0.7


def test_range_and_channels_do_what_they_say():
    within = prepare(DIGITS, [0], ".").x_train.values
    assert within.min() == 0
    assert within.max() == 1
    standard = prepare(DIGITS | {"normalize": "channels"}, [0], ".").x_train.values
    assert standard.mean() == pytest.approx(0, abs=1e-12)
    assert standard.std() == pytest.approx(1)


@pytest.mark.parametrize("source", ["blobs", "moons"])
def test_the_planes_classes_are_two_and_apart(source):
    """Without spread a line separates the blobs, and no line the moons."""
    recipe = {"source": source, "train_size": 400, "test_size": 100, "spread": 1e-3}
    data = prepare(recipe, [3], ".").isel(split=0)
    x, y = data.x_train.values, data.y_train.values[:, 0]
    assert np.bincount(data.label_train.values).tolist() == [200, 200]
    design = np.column_stack([x, np.ones(400)])
    wrong = np.sign(design @ np.linalg.lstsq(design, y, rcond=None)[0]) != y
    assert wrong.any() == (source == "moons")
    radius = np.linalg.norm(
        x - (y[:, None] * [[0.5, 0.25]] if source == "moons" else y[:, None] * [[1, 0]]), axis=1
    )
    np.testing.assert_allclose(radius, 1 if source == "moons" else 0, atol=0.01)
    assert not np.isin(data.x_test.values, x).any()
