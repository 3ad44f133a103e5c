"""Adam with decoupled weight decay, as torch.optim.AdamW: the loop decays the weights, not the gradient."""

from minima.engine.optimizers.adam import preconditioner, start, step

__all__ = ["DECOUPLED", "preconditioner", "start", "step"]

DECOUPLED = True
