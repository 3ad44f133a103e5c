"""What training does to an infinitely wide network, as a distribution over its initializations.

At infinite width f₀ ~ GP(0, K) with K the NNGP kernel, the network stays its own linearization with the
NTK Θ, and gradient flow on the squared loss ends (Lee et al. 2019, eqs. 14–16, t → ∞) at

    f_∞(x) = Θ_xΘ⁻¹y + [f₀(x) − Θ_xΘ⁻¹f₀(X)] = f_int(x) + f_init(x),

with mean f_int and, over initializations, variance

    V(x) = K(x, x) − 2 Θ_xΘ⁻¹K_x + Θ_xΘ⁻¹KΘ⁻¹Θ_xᵀ.

For a homogeneous network (ReLU or linear, no biases) f_int does not depend on the initial scale σ and
V ∝ σ^{2H} with H = depth: the expected test error is known for every σ from kernels at one σ.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from minima.theory import kernels
from minima.theory.solve import Solution, solve

Array = NDArray[np.float64]


def crossing(interpolant_mse: float, variance: float, degree: int) -> float:
    """σ* = (MSE_int/V)^{1/2H}, where the initialization's share σ^{2H}V of the test error has grown to the
    interpolant's own; V at σ = 1, H the degree."""
    return float((interpolant_mse / variance) ** (0.5 / degree)) if variance else np.inf


@dataclass(frozen=True)
class TrainedLimit:
    """Trained infinitely wide networks on test points; outputs are independent and share the variance.

    mean: (t,) or (t, outputs) as y; variance: (t,), V at σ = weight_std, squared units of y; solver and
    jitter: as in `minima.theory.solve`.
    """

    mean: Array
    variance: Array
    solver: str
    jitter: float

    def interpolant_mse(self, y_test: ArrayLike) -> float:
        """MSE of f_int, y_test shaped as mean."""
        y_test = np.asarray(y_test, dtype=np.float64)
        if y_test.shape != self.mean.shape:
            raise ValueError(f"y_test has shape {y_test.shape}, predictions have {self.mean.shape}")
        return float(np.mean((self.mean - y_test) ** 2))


def trained_limit(
    x_train: ArrayLike,
    y_train: ArrayLike,
    x_test: ArrayLike,
    depth: int = 2,
    activation: str = "relu",
    weight_std: float = 1.0,
    bias_std: float = 0.0,
) -> TrainedLimit:
    """Networks trained to zero loss by gradient flow from random initializations.

    x_train (n, d), y_train (n,) or (n, outputs), x_test (t, d); the network as in `minima.theory.kernels`.
    """
    network = (depth, activation, weight_std, bias_std)
    within = kernels.nngp_and_ntk(x_train, None, *network)
    across = kernels.nngp_and_ntk(x_test, x_train, *network)
    mean, weights, solution = _regression(within.ntk, across.ntk, y_train)
    variance = (
        kernels.nngp_diagonal(x_test, *network)
        - 2 * np.einsum("nt,tn->t", weights, across.nngp)
        + np.einsum("nt,nt->t", weights, within.nngp @ weights)
    )
    return TrainedLimit(
        mean=mean,
        variance=np.maximum(variance, 0),  # rounding, on training points
        solver=solution.solver,
        jitter=solution.jitter,
    )


def _regression(within: Array, across: Array, y_train: ArrayLike) -> tuple[Array, Array, Solution]:
    """K_xK⁻¹y shaped (t, …) as y, the weights K⁻¹K_xᵀ (n, t), and how both were solved.

    Not weights.T @ y: where a point appears twice with two labels, jitter splits its weight between the two
    to no more than two digits, and labels in the right-hand side show that to the solver.
    """
    y_train = np.asarray(y_train, dtype=np.float64)
    labels = y_train.reshape(len(y_train), -1)
    solution = solve(within, np.hstack([labels, across.T]))
    dual, weights = np.split(solution.x, [labels.shape[1]], axis=1)
    return (across @ dual).reshape(len(across), *y_train.shape[1:]), weights, solution
