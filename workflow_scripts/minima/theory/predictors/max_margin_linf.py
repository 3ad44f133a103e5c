"""Where the linearization of a network goes on to under sign-like methods such as Adam, as the loss falls to
0: the direction of greatest margin in ℓ∞ (`minima.theory.max_margin`)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from minima.plan.marks import PredictorOfMargin

if TYPE_CHECKING:
    from minima.theory.linearization import Linearization, Predicted


class MaxMarginLinf(PredictorOfMargin):
    """Linearized network of greatest margin over the largest |θ − θ₀|."""

    on_parameters = True
    forms_jacobian = True


def predict(linearization: Linearization) -> Predicted:
    """`predict` returns f₀ + s·j(x)u for the direction u of greatest margin, at the least s at which the loss
    is that at which training ends: a point of equal loss on the ray, not of a path. NaN where no u puts all
    training points in their classes. J of the training points is formed."""
    import torch

    from minima.theory.max_margin import least_maximum, scale_to

    jacobian, targets = linearization.rows, linearization.targets
    one = torch.eye(targets[0].numel()).to(targets).view(-1, *targets.shape[1:])
    rows = [jacobian.transposed(each.expand_as(targets)) for each in one]
    u = least_maximum(torch.stack(rows, dim=1), targets)
    scale, met = scale_to(linearization.goal, linearization.f, jacobian.times(u))
    return linearization.of_moved(torch.where(met[:, None], scale[:, None] * u, 0)).where(met)
