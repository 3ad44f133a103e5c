"""Where the network itself goes as its adaptive method's step shrinks: its flow, linearized anew in every
piece, mini-batches averaged (`minima.theory.flows`)."""

from minima.theory.flows import NetworkPath, follow, rule_of
from minima.theory.linearization import Linearization, Predicted

PIECES = True
RESIDUAL = 1e-3
GROWTH = 1.15  # ReLU's kinks want shorter pieces than a linear model


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f at the end of the flow; NaN where `max_steps` pieces do not reach the residual.
    `steps` are pieces."""
    rule = rule_of(linearization.recipe)
    if rule is None:
        raise ValueError("relinearized_flow is the flow of an adaptive method")
    points = linearization.points
    targets = linearization.error + linearization.at_start[:, :points]  # centred networks train f − f₀
    path = NetworkPath(linearization.ensemble, linearization.weights, linearization.x[:, :points], targets)
    end = follow(path, rule, RESIDUAL, GROWTH)
    f, _ = linearization.ensemble.forward(path.weights_at(end.point.moved), linearization.x)
    f = linearization.start + f - linearization.at_start
    return linearization.of_moved(end.point.moved, end.pieces, f).where(end.residual <= RESIDUAL)
