"""Two linear layers of great width, drawn and not trained, against the bounds on them (2105.06351)."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from minima.streams import stream
from minima.theory.linear_nets import Slack, lemma_width, problem, slack, theorem_width

LONG_NAMES = {
    "gap_slack": "imbalance c over the least of Lemma 1",
    "overlap_slack": "‖[V; U1]U2ᵀ‖ over the most of Lemma 1",
    "limit_slack": "a bound on ‖UVᵀ(∞) − Θ̂‖ from the start alone, over the most of Theorem 2",
}


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
