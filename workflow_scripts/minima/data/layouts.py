"""Where the channels of images stand."""

from __future__ import annotations

from collections.abc import Sequence

from minima.data.pool import DataError

CHANNELS = 4  # of an image, at most, where nothing is said: grey, two, colours, and colours with transparency
AXES = {"nhw": "rows, height, width", "nhwc": "rows, height, width, channels"}
AXES |= {"nchw": "rows, channels, height, width"}


def channels_last(shape: Sequence[int], layout: str | None, where: str) -> bool:
    """`channels_last` returns whether the channels of rows of this shape are their last axis: what `layout`
    says, or what cannot be otherwise, an axis of a few beside sides that are longer."""
    if layout is not None and len(shape) + 1 != len(layout):
        held = f"{len(shape) + 1} axes, rows first, and rows of shape {list(shape)}"
        raise DataError(f"{where} has {held}, and layout: {layout} is of ({AXES[layout]})")
    if layout is not None or len(shape) != 3:
        return layout == "nhwc"
    first, middle, last = shape
    if first <= CHANNELS < min(middle, last):
        return False
    if last <= CHANNELS < min(first, middle):
        return True
    raise DataError(
        f"{where}: rows of shape {list(shape)} can be images with their channels first or last: write "
        "layout: nchw (first) or layout: nhwc (last)"
    )
