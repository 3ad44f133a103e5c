"""Adam with decoupled weight decay, as torch.optim.AdamW: the loop decays the weights, not the gradient."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from minima.engine.optimizers.adam import SQUARES, Adam, preconditioner, start, step

__all__ = ["DECOUPLED", "SQUARES", "preconditioner", "start", "step"]


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ − ηλ(θ − anchor) beside the step."""

    name: Literal["adamw"] = Field(description="Adam, weight decay decoupled.")


DECOUPLED = True
