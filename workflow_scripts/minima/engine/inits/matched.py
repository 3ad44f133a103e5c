"""A random start as large as the end of another cell: its weights times one factor, which is found.

    θ = c θ_random   with   ‖θ‖ = ‖θ_other‖   or   the ℓ2 path norm of θ equal to that of θ_other

Where training from θ_other is compared with training from a random start, this start says whether the size
of the weights makes the difference. c is the `scale` of the scheme that draws: it multiplies weights and
biases, not batch normalization's. Without biases the path norm of H layers grows as c^H; with biases it is
a polynomial of c that grows too, so c is found by bisection.
"""

from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np
import torch

from minima.engine.ensemble import Ensemble
from minima.engine.inits import pretrained

HALVINGS = 60
LOWEST, HIGHEST = 1e-4, 1e4  # of c
# What the gaussian scheme wants to know beside the scale; other schemes know the scale alone.
PLAIN = {"width_power": 0.0, "layer_scales": None, "output": "gaussian", "flip": False}


class Matched(NamedTuple):
    """`Matched` is a scheme whose `start` is as large as the trained state that the options hold."""

    readout: tuple[float, ...] = (1.0,)
    centred: bool = False

    def start(
        self, model: Any, options: Mapping[str, Any], seed: int, x: np.ndarray | None = None
    ) -> list[np.ndarray]:
        """`start` returns one array [1, out, in] per tensor of one network."""
        scheme = import_module(f"minima.engine.inits.{options['draw']}").SCHEME
        constant, drawn = (scheme.start(model, PLAIN | {"scale": scale}, seed, x) for scale in (0.0, 1.0))
        size = SIZES[options["match"]]
        wanted = size(model, pretrained.SCHEME.start(model, options, seed))

        def at(factor: float) -> list[np.ndarray]:
            return [still + factor * (one - still) for still, one in zip(constant, drawn, strict=True)]

        low, high = np.log(LOWEST), np.log(HIGHEST)
        if not size(model, at(LOWEST)) < wanted < size(model, at(HIGHEST)):
            raise ValueError(
                f"init: matched finds no factor between {LOWEST:g} and {HIGHEST:g} that gives the random "
                f"start the {options['match']} {wanted:.3g} of the network that it is matched to"
            )
        for _ in range(HALVINGS):
            middle = (low + high) / 2
            low, high = (middle, high) if size(model, at(np.exp(middle))) < wanted else (low, middle)
        return at(np.exp(low))


def norm(model: Any, weights: Sequence[np.ndarray]) -> float:
    """`norm` returns the Frobenius norm of all parameters."""
    return float(np.sqrt(sum(np.square(weights[i]).sum() for i in Ensemble(model).parameters)))


def path_norm(model: Any, weights: Sequence[np.ndarray]) -> float:
    """`path_norm` returns the ℓ2 path norm, as the probe of that name has it."""
    tensors = [torch.as_tensor(weight)[None] for weight in weights]
    return float(Ensemble(model).path_norms(tensors)[0, 1])


SIZES: dict[str, Callable[[Any, Sequence[np.ndarray]], float]] = {"norm": norm, "path_norm": path_norm}
SCHEME = Matched()
