"""What a cell stores, whatever its parts: names, dimensions, meanings, units for store, packs and datasets.
Probes and predictors say what they add (`minima.plan.marks.variables`)."""

from typing import NamedTuple


class Variable(NamedTuple):
    dims: tuple[str, ...]
    long_name: str
    units: str = "1"


STATUSES = ("converged", "stopped", "diverged", "missing")

# What a predictor says, as the variable `<predictor>_<quantity>`.
PREDICTED = {
    "test": Variable(("point", "output"), "prediction on the test points"),
    "residual": Variable((), "‖y − f‖/‖y − f₀‖ at the end"),
    "steps": Variable((), "steps, pieces or iterations it took, 0 for a closed form", "step"),
    "length": Variable((), "‖θ − θ₀‖"),
    "along": Variable((), "part of θ − θ₀ in the row space of the start's Jacobian, by the kernel"),
    "across": Variable((), "part of θ − θ₀ at right angles to the row space of the start's Jacobian"),
    "margin": Variable((), "least margin of f − f₀ on the training points over ‖θ − θ₀‖; NaN for mse"),
    "error": Variable((), "the prediction's own estimate of its error, over its norm on the test points"),
}

# In the store a leading dimension `cell` is added, in a dataset the dimensions of the block.
VARIABLES = {
    "status": Variable((), "how training ended: converged, stopped (out of steps), diverged or missing", ""),
    "device": Variable((), "what trained the network: cpu or cuda", ""),
    "products": Variable((), "library of the matrix products in training: numpy, torch, or both by size", ""),
    "steps": Variable((), "steps trained", "step"),
    "residual": Variable((), "‖y − f‖/‖y − f₀‖ at the end"),
    "learning_rate": Variable((), "learning rate, absolute", "1/loss"),
    "momentum_used": Variable((), "momentum, absolute"),
    "flow_time": Variable((), "gradient-flow time at the end, as learning rate × steps", "1/loss"),
    "kernel_max": Variable((), "largest eigenvalue of the tangent kernel at the start"),
    "kernel_min": Variable((), "smallest eigenvalue of the tangent kernel at the start"),
    "kernel_spectrum": Variable(("mode",), "eigenvalues of the tangent kernel at the start, ascending"),
    "start_error": Variable(("mode",), "components of f₀ − y along the kernel's eigenvectors"),
    "loss": Variable(("step",), "training loss ‖y − f‖²/2N"),
    "residual_steps": Variable(("level",), "first step at or below each recorded residual, if any", "step"),
    "start_train": Variable(("train_point", "output"), "prediction on the training points at the start"),
    "start_test": Variable(("point", "output"), "prediction on the test points at the start"),
    "train": Variable(("train_point", "output"), "prediction on the training points at the end"),
    "test": Variable(("point", "output"), "prediction on the test points at the end"),
    "start_norm": Variable(("layer",), "Frobenius norm of each weight matrix at the start"),
    "norm": Variable(("layer",), "Frobenius norm of each weight matrix at the end"),
    "distance": Variable(("layer",), "distance that each weight matrix travelled"),
    "time_path": Variable(("step",), "gradient-flow time", "1/loss"),
    "plane": Variable(("plane_y", "plane_x", "output"), "prediction on a grid over the plane of the inputs"),
    "parameters": Variable(("parameter",), "trained weights, layer after layer, flattened"),
}

COORDINATES = {
    "step": Variable(("step",), "steps taken", "step"),
    "level": Variable(("level",), "recorded residual"),
    "plane_x": Variable(("plane_x",), "first input on the plane's grid"),
    "plane_y": Variable(("plane_y",), "second input on the plane's grid"),
}
