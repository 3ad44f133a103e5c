"""How many networks are trained together, and what is done where they do not fit."""

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch

from minima.engine.device import cache_bytes
from minima.forms import is_stacked
from minima.training.methods import fitting_form
from minima.training.results import Trained

logger = logging.getLogger("minima")


class DoesNotFit(RuntimeError):
    """`DoesNotFit` says that a stack of networks needs more memory than the device has."""

    def __init__(self, networks: int) -> None:
        super().__init__(f"{networks} networks do not fit the memory of the device, halved as they were")
        self.networks = networks


def networks_together(
    model: Any, cells: Sequence[Mapping[str, Any]], points: int, copies: int, device: torch.device
) -> int:
    """`networks_together` returns how many networks to train at once; torch modules are trained one by one on
    a CPU, where PyTorch's own kernels are fastest."""
    if not is_stacked(cells[0]["network"]):
        return 1 if device.type == "cpu" else 2**30
    form = fitting_form(model, cells, points)
    shapes = form.shapes(model, points) if form else model.weight_shapes
    return stack_size(shapes, copies, points, cells[0]["dtype"], device)


def stack_size(
    shapes: Sequence[tuple[int, int]], copies: int, points: int, dtype: str, device: torch.device
) -> int:
    """`stack_size` returns how many networks to train together: all of them on a GPU; on a CPU as many as
    stay in a core's cache with their gradients, an optimizer's moment and their activations. Larger stacks
    were up to 1.6 times as slow, smaller ones pay for PyTorch's calls, 1–3 µs each."""
    if device.type != "cpu":
        return 2**30
    weights, activations = (
        sum(sizes) for sizes in zip(*((o * i, o * points) for o, i in shapes), strict=True)
    )
    network = copies * (3 * weights + activations)
    return max(1, cache_bytes() // (network * getattr(torch, dtype).itemsize))


def halved_where_memory_is_short(
    train_some: Callable[[Sequence[int]], Iterator[Trained]], positions: Sequence[int], again: bool = True
) -> Iterator[Trained]:
    """`halved_where_memory_is_short` trains a stack; where the device runs out of memory, the unfinished
    networks are trained in two halves. A half that runs out of memory again raises `DoesNotFit`."""
    finished: set[int] = set()
    try:
        for trained in train_some(positions):
            finished.add(trained.position)
            yield trained
        return
    except torch.OutOfMemoryError as error:
        left = [position for position in positions if position not in finished]
        if not again or len(left) == 1:
            raise DoesNotFit(len(left)) from error
    logger.warning("out of memory with %d networks: training them in two halves", len(left))
    middle = len(left) // 2
    for half in (left[:middle], left[middle:]):
        yield from halved_where_memory_is_short(train_some, half, again=False)
