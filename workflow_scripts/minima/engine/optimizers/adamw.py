"""Adam with decoupled weight decay, as torch.optim.AdamW: the loop decays the weights, not the gradient."""

from __future__ import annotations

from minima.engine.optimizers.adam import MEMORY, SQUARES, Adam, preconditioner, start, step

__all__ = ["DECOUPLED", "MEMORY", "SQUARES", "preconditioner", "start", "step"]


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ − ηλ(θ − anchor) beside the step."""


DECOUPLED = True
