"""What a cell stores: one table of names, dimensions, meanings and units for store, packs and datasets."""

from typing import NamedTuple


class Variable(NamedTuple):
    dims: tuple[str, ...]
    long_name: str
    units: str = "1"


STATUSES = ("converged", "stopped", "diverged", "missing")

# Minimizers computed from a network's own start, each by a module of `theory.predictors`.
PREDICTORS = {
    "linearized": "limit of the linearized network under gradient descent",
    "interpolant": "limit of the linearized network without its initial function",
    "decayed": "limit of the linearized network under weight decay toward 0, as its strength goes to 0",
    "linearized_gd": "linearized network, trained by gradient descent to a residual of 1e-8",
    "linearized_trained": "linearized network, trained as the network itself",
    "preconditioned_start": "limit under the fixed preconditioner 1/|g₀| of the start",
    "preconditioned_end": "limit under the fixed preconditioner at the end of the linearized training",
    "self_consistent": "limit under the preconditioner that AdaGrad's flow makes of itself",
    "adagrad_flow": "limit of full-batch AdaGrad at small steps on the linearized network",
    "adaptive_flow": "limit of the cell's own method at small steps on the linearized network",
    "relinearized_flow": "limit of the cell's own adaptive method at small steps on the network",
}
# What each of them says, as the variable `<predictor>_<quantity>`.
PREDICTED = {
    "test": Variable(("point", "output"), "prediction on the test points"),
    "residual": Variable((), "‖y − f‖/‖y − f₀‖ at the end"),
    "steps": Variable((), "steps, pieces or iterations it took, 0 for a closed form", "step"),
    "length": Variable((), "‖θ − θ₀‖"),
    "along": Variable((), "part of θ − θ₀ in the row space of the start's Jacobian, by the kernel"),
    "across": Variable((), "part of θ − θ₀ at right angles to the row space of the start's Jacobian"),
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
    "accuracy_path": Variable(("step",), "fraction of training points in the right class"),
    "test_accuracy_path": Variable(("step",), "fraction of test points in the right class"),
    "path_norm_path": Variable(("step", "power"), "ℓ1 and ℓ2 norm over paths"),
    "path_norm": Variable(("power",), "ℓ1 and ℓ2 norm over paths at the end"),
    "plane": Variable(("plane_y", "plane_x", "output"), "prediction on a grid over the plane of the inputs"),
    "norm_path": Variable(("step", "layer"), "Frobenius norm of each weight matrix"),
    "distance_path": Variable(("step", "layer"), "distance of each weight matrix from its start"),
    "flips_path": Variable(("step", "hidden_layer"), "fraction of activations that changed sign"),
    "kernel_extremes_path": Variable(
        ("step", "extreme"), "least and largest eigenvalue of the tangent kernel"
    ),
    "sharpness_path": Variable(("step",), "largest eigenvalue of the loss's Hessian"),
    "decay_path": Variable(("step",), "rate at which gradient flow lowers the log of the loss", "loss"),
    "imbalance_path": Variable(
        ("step",), "drift of the imbalance Λ of two linear layers, relative to its start"
    ),
    "rate_bounds_path": Variable(
        ("step", "bound"), "lower bounds on the decay, by Theorem 1 and Proposition 1′ of 2105.06351", "loss"
    ),
    "unseen_path": Variable(
        ("step",), "drift of what the points do not see of the first layer, relative to its start"
    ),
    "parameters": Variable(("parameter",), "trained weights, layer after layer, flattened"),
} | {
    f"{name}_{quantity}": variable._replace(long_name=f"{variable.long_name}, {text}")
    for name, text in PREDICTORS.items()
    for quantity, variable in PREDICTED.items()
}

COORDINATES = {
    "step": Variable(("step",), "steps taken", "step"),
    "level": Variable(("level",), "recorded residual"),
    "plane_x": Variable(("plane_x",), "first input on the plane's grid"),
    "plane_y": Variable(("plane_y",), "second input on the plane's grid"),
}
