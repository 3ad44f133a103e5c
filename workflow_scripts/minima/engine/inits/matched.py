"""A random start as large as the end of another cell: its weights times one factor, which is found.

    θ = c θ_random   with   ‖θ‖ = ‖θ_other‖   or   the ℓ2 path norm of θ equal to that of θ_other

Where training from θ_other is compared with training from a random start, this start says whether the size
of the weights makes the difference. c is the `scale` of the scheme that draws: it multiplies weights and
biases, not batch normalization's. Without biases the path norm of H layers grows as c^H; with biases it is
a polynomial of c that grows too, so c is found by bisection.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from importlib import import_module
from math import exp, log, sqrt
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field

from minima.engine import draws
from minima.engine.inits import pretrained
from minima.plan import parts
from minima.plan.inits import Drawing, StartingInit, impossible_draw

if TYPE_CHECKING:
    from numpy import ndarray

HALVINGS = 60
LOWEST, HIGHEST = 1e-4, 1e4  # of c
# What the gaussian scheme wants to know beside the scale; other schemes know the scale alone.
PLAIN = {"width_power": 0.0, "layer_scales": None, "output": "gaussian", "flip": False}


class Matched(StartingInit):
    """Start at random, with weights as large as those of a cell of another block of the study, of the same
    seed: one factor multiplies all that is drawn. It tells whether the size of pretrained weights matters."""

    match: Literal["norm", "path_norm"] = Field(
        description="What is made equal: the norm of all parameters, or the ℓ2 norm over paths."
    )
    draw: Drawing = Field("kaiming", description="The scheme that draws; gaussian for kind: mlp.")

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from impossible_draw(self.draw, cell)
        if hasattr(parts.load("inits", self.draw), "stand_in"):
            yield f"init.draw: {self.draw} draws another network than the one that is matched"


def start(model: Any, options: Mapping[str, Any], seed: int, x: ndarray | None = None) -> list[ndarray]:
    """`start` returns a random start as large as the trained state that the options hold."""
    init = import_module(f"minima.engine.inits.{options['draw']}")
    constant, drawn = (draws.start(init, model, PLAIN | {"scale": scale}, seed, x) for scale in (0.0, 1.0))
    size = {"norm": norm, "path_norm": path_norm}[options["match"]]
    wanted = size(model, pretrained.start(model, options, seed))

    def at(factor: float) -> list[ndarray]:
        found = [still + factor * (one - still) for still, one in zip(constant, drawn, strict=True)]
        if not getattr(model, "still", False):
            return found
        return import_module("minima.engine.networks.starts").settled(model, found, x)

    low, high = log(LOWEST), log(HIGHEST)
    if not size(model, at(LOWEST)) < wanted < size(model, at(HIGHEST)):
        raise ValueError(
            f"init: matched finds no factor between {LOWEST:g} and {HIGHEST:g} that gives the random "
            f"start the {options['match']} {wanted:.3g} of the network that it is matched to"
        )
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if size(model, at(exp(middle))) < wanted else (low, middle)
    return at(exp(low))


def norm(model: Any, weights: Sequence[ndarray]) -> float:
    """`norm` returns the Frobenius norm of all parameters."""
    from minima.engine.ensemble import Ensemble

    return sqrt(sum((weights[i] ** 2).sum() for i in Ensemble(model).parameters))


def path_norm(model: Any, weights: Sequence[ndarray]) -> float:
    """`path_norm` returns the ℓ2 path norm, as the probe of that name has it."""
    from torch import as_tensor

    from minima.engine.ensemble import Ensemble

    return float(Ensemble(model).path_norms([as_tensor(weight)[None] for weight in weights])[0, 1])
