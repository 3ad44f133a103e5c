"""Two linear layers of great width, drawn and not trained, against the bounds on them (2105.06351)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from minima.plan.references import Reference

if TYPE_CHECKING:
    import numpy as np

LONG_NAMES = {
    "gap_slack": "imbalance c over the least of Lemma 1",
    "overlap_slack": "‖[V; U1]U2ᵀ‖ over the most of Lemma 1",
    "limit_slack": "a bound on ‖UVᵀ(∞) − Θ̂‖ from the start alone, over the most of Theorem 2",
}


class WideLinear(Reference):
    """Draws of wide linear nets, not trained, against the bounds on them (2105.06351)."""

    width: list[Annotated[int, Field(ge=2)]] = Field(min_length=1, description="Hidden units h.")
    width_power: list[Annotated[float, Field(gt=0.25, le=0.5)]] = Field(
        [0.5], min_length=1, description="α of the entries N(0, h^−2α)."
    )
    draws: int = Field(200, ge=1, description="Networks per split of the data.")
    delta: float = Field(0.05, gt=0, lt=1, description="δ: the bounds hold with probability 1 − δ.")


def beside(
    x_train: np.ndarray,
    y_train: np.ndarray,
    x_test: np.ndarray,
    network: tuple,
    options: Mapping[str, Any],
    split: int,
) -> dict[str, tuple[tuple[str, ...], Any, str]]:
    """`beside` returns how far the draws stay from the bounds, and the widths above which these
    bounds hold."""
    import numpy as np

    from minima.streams import stream
    from minima.theory.linear_nets import Slack, lemma_width, problem, slack, theorem_width

    data, powers, delta = problem(x_train, y_train), options["width_power"], options["delta"]
    each = [
        slack(data, stream(split, f"draws/{width}"), options["draws"], width, powers, delta)
        for width in options["width"]
    ]
    dims = ("wide_power", "wide_width", "draw")
    slacks = Slack(*zip(*each, strict=True))._asdict().items()
    lemma = lemma_width(x_train.shape[1], y_train.shape[1], delta)
    theorem = np.array([theorem_width(data, power, delta) for power in powers])
    return {name: (dims, np.stack(parts, axis=1), LONG_NAMES[name]) for name, parts in slacks} | {
        "lemma_width": ((), lemma, "width above which Lemma 1 holds"),
        "theorem_width": (("wide_power",), theorem, "width above which Theorem 2 holds"),
        "wide_power": (("wide_power",), np.array(powers), "α of the entries N(0, h^−2α)"),
        "wide_width": (("wide_width",), np.array(options["width"]), "hidden units h"),
    }
