"""What a user hands over, as the workflow has it: a network at its start, and arrays in float64."""

import logging
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from minima.engine.module_checks import ROWS, check
from minima.engine.networks.module import ModuleNet
from minima.engine.networks.starts import BATCH_NORM
from minima.plan import parts
from minima.training.start import Arrays

logger = logging.getLogger("minima")

Array = NDArray[np.float64]
AT_ONCE = 500  # points of an evaluation


@dataclass(frozen=True)
class Given:
    """`Given` is a network with the points on which it is trained and asked."""

    net: nn.Module  # a copy in float64, on the CPU: what becomes of the user's is no matter
    split: Arrays  # rows flat, in float64
    labels: str  # what the targets are, in the words of a recipe
    device: torch.device

    @property
    def outputs(self) -> int:
        return self.split.y_train.shape[1]


def given(net: nn.Module, x: Any, y: Any, x_test: Any, loss: str, device: Any) -> Given:
    """`given` returns a network and its points as theory takes them. Raises `ValueError` with what to do."""
    if not isinstance(net, nn.Module):
        raise ValueError(f"net is a {type(net).__name__}, and no torch.nn.Module")
    points, test = _points("x", x), _points("x_test", x_test)
    if points.shape[1:] != test.shape[1:]:
        raise ValueError(
            f"rows of x have shape {list(points.shape[1:])}, and those of x_test {list(test.shape[1:])}"
        )
    place, start = _device(net, device), deepcopy(net).cpu().double()
    targets, labels = _targets(y, loss, start, points)
    if len(targets) != len(points):
        raise ValueError(f"x has {len(points)} rows, and y {len(targets)}")
    split = Arrays(
        points.reshape(len(points), -1),
        targets,
        test.reshape(len(test), -1),
        np.zeros((len(test), targets.shape[1])),
        points.shape[1:],
    )
    found = Given(start, split, labels, place)
    _check(found)
    return found


def evaluated(net: nn.Module, x: Array) -> Array:
    """`evaluated` returns f [n, outputs] of a network at points x [n, …], in evaluation, in its own precision
    and where it is; the network is left as it was."""
    net, like = deepcopy(net).eval(), next(net.parameters())
    with torch.no_grad():
        parts = [net(torch.as_tensor(part).to(like)) for part in np.split(x, range(AT_ONCE, len(x), AT_ONCE))]
    return torch.cat(parts).double().cpu().numpy()


def numbers(name: str, values: Any) -> np.ndarray:
    """`numbers` returns a tensor or what NumPy takes as an array of finite numbers."""
    if isinstance(values, torch.Tensor):
        values = values.detach().cpu()
        values = values.double() if values.is_floating_point() else values
    try:
        array = np.asarray(values)
    except ValueError as error:
        raise ValueError(f"{name} is no array: {error}") from error
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{name} holds {array.dtype}, not numbers")
    if not np.isfinite(array).all():
        raise ValueError(f"{name} holds numbers that are not finite")
    return array


def _points(name: str, values: Any) -> Array:
    array = numbers(name, values)
    if array.dtype.kind != "f":
        raise ValueError(
            f"{name} holds whole numbers ({array.dtype}): give what the network is to see, in floating "
            f"point, such as {name} / 255"
        )
    if array.ndim < 2 or not array.size:
        raise ValueError(f"{name} has shape {list(array.shape)}: it must be [rows, …], of one row at least")
    return array.astype(np.float64)


def _targets(y: Any, loss: str, net: nn.Module, points: Array) -> tuple[Array, str]:
    """`_targets` returns y [n, outputs], and what a recipe calls such labels."""
    known = parts.options("losses")
    needed = known[loss].labels if loss in known else ""  # what is unknown is refused with all other options
    given = numbers("y", y)
    if given.ndim not in (1, 2) or not given.size:
        raise ValueError(f"y has shape {list(given.shape)}: it must be [rows] or [rows, outputs]")
    if given.ndim == 1 and given.dtype.kind in "iu":
        outputs = _outputs(net, points)
        if outputs > 1 or needed == "onehot":
            return _onehot(given, outputs or int(given.max()) + 1), "onehot"
    targets = given.reshape(len(given), -1).astype(np.float64)
    if needed == "onehot":
        if targets.shape[1] == 1 or (targets < 0).any() or not np.allclose(targets.sum(1), 1):
            raise ValueError(
                f"y: with loss {loss} it holds classes, as whole numbers, or a distribution over the "
                "outputs in every row"
            )
        return targets, "onehot"
    if needed == "sign":
        if not np.isin(targets, (-1, 1)).all():
            raise ValueError(f"y: with loss {loss} it holds −1 and +1; of 0 and 1 that is 2 * y - 1")
        return targets, "sign"
    return targets, "value"


def _onehot(classes: np.ndarray, outputs: int) -> Array:
    if classes.min() < 0 or classes.max() >= outputs:
        raise ValueError(
            f"y holds classes {classes.min()} to {classes.max()}, and the network has {outputs} outputs: "
            f"classes are 0 to {outputs - 1}"
        )
    return np.eye(outputs)[classes]


def _outputs(net: nn.Module, points: Array) -> int:
    """`_outputs` returns how many outputs a network has; 0 where it has none or fails, which `_check`
    tells."""
    try:
        return evaluated(net, points[:1]).shape[1]
    except Exception:
        return 0


def _device(net: nn.Module, device: Any) -> torch.device:
    first = next(net.parameters(), torch.empty(0))
    try:
        place = first.device if device is None else torch.device(device)
    except RuntimeError as error:
        raise ValueError(f"device: {str(error).splitlines()[0]}") from error
    if place.type not in ("cpu", "cuda"):
        raise ValueError(f"device {place.type} is none of cpu and cuda, where theory computes in float64")
    if place.type == "cuda" and not torch.cuda.is_available():
        raise ValueError("device is cuda, and PyTorch sees no GPU")
    return place


def _check(found: Given) -> None:
    """`_check` raises `ValueError` where the network cannot be asked."""
    net, split, who = found.net, found.split, f"net: {type(found.net).__name__}"
    model = ModuleNet.of(lambda: deepcopy(net), split.shape)
    check(model, who, split.x_train, found.outputs, ROWS, "float64", in_training=net.training)
    if net.training and any(isinstance(layer, BATCH_NORM) for layer in net.modules()):
        logger.warning(
            "%s is in training mode, where batch normalization ties points together: theory takes it as it "
            "is in evaluation, with the statistics that it has now. Train it so, by net.eval()",
            who,
        )
