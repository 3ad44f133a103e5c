"""What is answered: the minimizers that theory predicts for a network, and which of them training found."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import isfinite, nan
from typing import Any

import numpy as np
import torch
import xarray as xr
from torch import nn

from minima.findings.nearest import nearest_minimizer
from minima.plan import parts
from minima.plan.config import NEAREST_WITHIN
from minima.theory.linearization import Predicted
from minima.variables import PREDICTED, VARIABLES
from minima.which.inputs import Array, Given, evaluated, numbers

SECONDS = {"long_name": "time that the prediction took, its kernel apart", "units": "s"}


@dataclass(frozen=True, eq=False, repr=False)
class Nearest:
    """`Nearest` says which predicted minimizer a trained network found. Distances are ‖f − g‖/‖f‖ over the
    test points."""

    name: str  # the verdict: a name, `a or b` where the network does not tell them, or none
    distance: float  # from the nearest, found or not
    next: str  # the nearest that `name` does not name; "" where nothing was found or there is no other
    lead: float  # how much farther `next` is, or NaN
    distances: xr.DataArray  # from all of them, along `minimizer`, the nearest first
    residual: float  # √(L/L₀) of the trained network on the training points; NaN of predictions alone

    def __repr__(self) -> str:
        lines = [f"found: {self.name}"]
        if isfinite(self.residual):
            lines[0] += f" (training came to √(L/L₀) = {self.residual:.2g})"
        lines += [f"  {name:20} {distance:.3g}" for name, distance in self.distances.to_series().items()]
        return "\n".join(lines)


@dataclass(frozen=True, eq=False, repr=False)
class Answer:
    """`Answer` holds the predicted minimizers of a network: a dataset with `test` on the test points, by
    `predictor`, `point` and `output`, the `seconds` that each took, and what theory says beside."""

    predicted: xr.Dataset
    given: Given
    loss: str

    def nearest(self, trained: Any, within: float = NEAREST_WITHIN) -> Nearest:
        """`nearest` returns which predicted minimizer a trained network found, if any, by the workflow's own
        rule (`minima.findings.nearest`), with its tolerance `within` (`nearest_within` of a config).
        `trained` is the network, evaluated here on the test points, or its predictions there,
        [points, outputs]."""
        net = isinstance(trained, nn.Module)
        f = _function(
            _on(trained, self.given, self.given.split.x_test) if net else trained,
            self.predicted.test.shape[1:],
        )
        residual = self._residual(_on(trained, self.given, self.given.split.x_train)) if net else nan
        network = xr.Dataset({"test": (("point", "output"), f), "status": ((), "converged")})
        found = nearest_minimizer(network, self.predicted, None, within)
        return Nearest(
            name=found.nearest.item(),
            distance=found.nearest_distance.item(),
            next=found.nearest_next.item(),
            lead=found.nearest_lead.item(),
            distances=found.distance_to.sortby(found.distance_to),
            residual=residual,
        )

    def _residual(self, f: Array) -> float:
        """√(L/L₀) of predictions on the training points."""
        loss = parts.load("losses", self.loss).loss
        y = torch.from_numpy(self.given.split.y_train)[None]
        start = _on(self.given.net, self.given, self.given.split.x_train)
        now, before = (loss(torch.from_numpy(each)[None], y)[0].item() for each in (f, start))
        return (now / before) ** 0.5 if before else nan

    def __repr__(self) -> str:
        names = self.predicted.predictor.values
        rows = zip(names, self.predicted.residual.values, self.predicted.seconds.values, strict=True)
        lines = [
            f"  {name:20} {seconds:8.2f} s   residual {residual:.1e}   "
            f"{parts.declaration('predictors', name).said()}"
            for name, residual, seconds in rows
        ]
        return "\n".join([self.predicted.attrs["title"], *lines])

    def _repr_html_(self) -> str:
        return self.predicted._repr_html_()


def labelled(
    found: Mapping[str, Predicted], seconds: Mapping[str, float], start: Array, title: str
) -> xr.Dataset:
    """`labelled` returns the predictions of one network as a dataset, named as those of a study are; `start`
    is f₀ on the test points [points, outputs]."""
    data = xr.Dataset(coords={"predictor": list(found)}, attrs={"title": title})
    for name, variable in PREDICTED.items():
        values = np.stack([getattr(one, name)[0].cpu().numpy() for one in found.values()])
        attributes = {"long_name": variable.long_name, "units": variable.units}
        data[name] = (("predictor", *variable.dims), values, attributes)
    data["seconds"] = ("predictor", [seconds[name] for name in found], SECONDS)
    said = VARIABLES["start_test"]
    return data.assign(start_test=(said.dims, start, {"long_name": said.long_name, "units": said.units}))


def _on(net: nn.Module, given: Given, rows: Array) -> Array:
    """`_on` returns the outputs of a network on flat rows."""
    try:
        return evaluated(net, rows.reshape(-1, *given.split.shape))
    except Exception as error:
        shape = list(given.split.shape)
        raise ValueError(f"the trained network fails on rows of shape {shape}: {error}") from error


def _function(f: Any, shape: tuple[int, ...]) -> Array:
    """`_function` returns predictions on the test points as an array of this shape."""
    try:
        f = numbers("trained", f).astype(np.float64)
    except ValueError as error:
        raise ValueError(f"{error}: a network that diverged has no minimizer") from error
    f = f.reshape(shape) if shape[1] == 1 and f.shape == shape[:1] else f
    if f.shape != shape:
        raise ValueError(f"the trained network's predictions have shape {list(f.shape)}, not {list(shape)}")
    return f
