"""Two linear layers without imbalance: U1ᵀU1 = VᵀV, so that no rate is guaranteed (2105.06351).

With Θ0 normal [d, m], S = Θ0ᵀΦ1Φ1ᵀΘ0 and m orthonormal directions Q [h, m] of the hidden units,

    U = Θ0 S^{−¼} Qᵀ,   V = S^{¼} Qᵀ,   UVᵀ = Θ0

so that both factors have the same singular values on what the points see. The entries of Θ0 have the variance
that those of a gaussian net's product have, or Θ0 is the least squares solution and noise of a given size.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import Field

from minima.plan.inits import BuiltLinearInit
from minima.plan.options import LATER, VARIES
from minima.streams import stream

if TYPE_CHECKING:
    from numpy import ndarray

    from minima.engine.networks.mlp import MLP

ASKS_FOR = ("y", "options", "model")


class Balanced(BuiltLinearInit):
    """Two linear layers without imbalance."""

    off: float | None = Field(
        None,
        ge=0,
        description="The product of the layers starts at the solution of least squares of least norm plus "
        "noise of this standard deviation; null: normal, as large as that of a gaussian net.",
        json_schema_extra=VARIES | LATER,
    )

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if self.off is not None and (self.scale, self.width_power, self.layer_scales) != (1, 0, None):
            yield "init.off says how large the weights are: leave out scale, layer_scales and width_power"


def draw(
    shapes: Sequence[tuple[int, int]],
    stds: Sequence[float],
    seed: int,
    x: ndarray,
    y: ndarray,
    options: Mapping[str, Any],
    model: MLP,
) -> list[ndarray]:
    import numpy as np

    (width, features), (outputs, _) = shapes
    normal = stream(seed, "weights/0").standard_normal((features, outputs))
    if (off := options.get("off")) is None:
        product = np.sqrt(width) * stds[0] * stds[1] * normal
    else:
        product = np.linalg.lstsq(np.prod(model.factors) * x, y)[0] + off * normal
    directions = np.linalg.qr(stream(seed, "weights/1").standard_normal((width, outputs))).Q
    rows = np.linalg.svd(x, full_matrices=False)[2]
    seen = rows @ product
    values, vectors = np.linalg.eigh(seen.T @ seen)
    fourth = vectors * values**0.25 @ vectors.T
    return [(directions @ np.linalg.inv(fourth) @ product.T)[None], (fourth @ directions.T)[None]]
