"""The Jacobian of a net along the way from one set of weights to another.

By the chain rule, written for differences: with Δ the difference of both ends and a bar their mean,

    Δa_l = s_l (Δh_{l−1} W̄_lᵀ + h̄_{l−1} ΔW_lᵀ),   Δh_l = (Δφ(a_l)/Δa_l) ⊙ Δa_l

holds exactly, so that Δf = J̄ Δθ with the J̄ of h̄, W̄ and the slopes Δφ/Δa.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from types import ModuleType

import torch
from torch import Tensor

from minima.engine.ensemble import Ensemble, flat
from minima.engine.tangent import Jacobian


@dataclass(frozen=True)
class Activity:
    """`Activity` holds every layer's values in a forward pass of E networks of K copies."""

    weights: list[Tensor]  # [E·K, out, in]
    before: list[Tensor]  # a_l, l = 1 … H−1: [E·K, n, m_l]
    hidden: list[Tensor]  # h_l, l = 0 … H−1


def activity(ensemble: Ensemble, weights: Sequence[Tensor], x: Tensor) -> tuple[Tensor, Activity]:
    """f at x [E, n, d], and all that mean_jacobian needs."""
    model, copies = ensemble.model, len(ensemble.readout)
    found = Activity(flat(weights), [], [x.repeat_interleave(copies, dim=0)])
    for weight, factor in zip(found.weights, model.factors, strict=True):
        found.before.append((found.hidden[-1] @ weight.mT).mul_(factor))
        if len(found.before) < len(found.weights):
            a = found.before[-1].clone()
            found.hidden.append(model.phi.value(a, torch.empty_like(a)))
    each = found.before.pop()
    return torch.einsum("k,ek...->e...", ensemble.readout_like(x), each.unflatten(0, (-1, copies))), found


def mean_jacobian(ensemble: Ensemble, start: Activity, end: Activity) -> Jacobian:
    """J̄ with f(end) − f(start) = J̄ (θ_end − θ_start), exactly: the Jacobian along the way.

    It has the means of h_l and of W_l at both ends, and (φ(b) − φ(a))/(b − a) in place of φ'. From a point to
    itself it is the Jacobian there. For ReLU the quotient is the part of the way that a unit is on: kinks are
    passed where they are.
    """
    model = ensemble.model
    hidden = [_mean(a, b) for a, b in zip(start.hidden, end.hidden, strict=True)]
    batch, points = hidden[0].shape[:2]
    outputs = model.sizes[-1]
    signal = torch.eye(outputs, dtype=hidden[0].dtype, device=hidden[0].device)
    signals = [signal.expand(batch, points, outputs, outputs)]
    for layer in reversed(range(1, len(start.weights))):
        weight = _mean(start.weights[layer], end.weights[layer])
        signal = (signals[-1].flatten(1, 2) @ weight).mul_(model.factors[layer])
        a, b = start.before[layer - 1], end.before[layer - 1]
        slope = _slope(model.phi, a, b, start.hidden[layer], end.hidden[layer])
        signals.append(signal.view(batch, points, outputs, -1) * slope.unsqueeze(2))
    return Jacobian(ensemble, hidden, signals[::-1])


def _mean(a: Tensor, b: Tensor) -> Tensor:
    return a if a is b else (a + b).mul_(0.5)


def _slope(phi: ModuleType, a: Tensor, b: Tensor, at_a: Tensor, at_b: Tensor) -> Tensor:
    """(φ(b) − φ(a))/(b − a); φ' half way where that would be all rounding."""
    middle = (a + b).mul_(0.5)
    phi.value(middle, torch.empty_like(middle))
    slope = phi.slope(middle)
    if a is b:
        return slope
    gap = b - a
    return torch.where(gap.abs() > torch.finfo(a.dtype).eps ** 0.5, (at_b - at_a).div_(gap), slope)
