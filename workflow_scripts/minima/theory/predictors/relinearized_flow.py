"""Where the network itself goes as its adaptive method's step shrinks: its flow, linearized anew in every
piece, mini-batches averaged (`minima.theory.flows`)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from minima.plan.marks import PredictorOfOwnFlow, known_flows

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted

RESIDUAL = 1e-3
GROWTH = 1.15  # ReLU's kinks want shorter pieces than a linear model


class RelinearizedFlow(PredictorOfOwnFlow):
    """Limit of the cell's own adaptive method at small steps on the network."""

    growth = GROWTH

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if (name := cell["optimizer"]["name"]) not in (flows := known_flows()):
            yield f"predict: relinearized_flow is about {', '.join(flows)}, not {name}"


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f at the end of the flow; NaN where `max_steps` pieces do not reach the residual.
    `steps` are pieces."""
    from minima.theory.flows import NetworkPath, follow, rule_of
    from minima.theory.losses import Goal

    rule = rule_of(linearization.recipe)
    if rule is None:
        raise ValueError("relinearized_flow is the flow of an adaptive method")
    points, objective, start = linearization.points, linearization.objective, linearization.f
    offset = linearization.start - linearization.at_start  # centred networks train f − f₀
    path = NetworkPath(
        linearization.ensemble, linearization.weights, linearization.x[:, :points], offset[:, :points]
    )
    goal = Goal(objective, RESIDUAL**2 * objective.value(start)) if objective.squared else linearization.goal
    end = follow(path, rule, goal, GROWTH)
    moved = linearization.ensemble.moved(linearization.weights, end.point.moved)
    f, _ = linearization.ensemble.forward(moved, linearization.x)
    return linearization.of_moved(end.point.moved, end.pieces, f + offset).where(end.met)
