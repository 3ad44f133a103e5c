"""Make neural_tangents.npz: kernels computed by the neural-tangents library, the oracle of test_kernels.py.

Run once, in an environment of its own (the library wants an older JAX), from the repository's root:

    python3.11 -m venv nt-env                # anywhere outside the repository
    nt-env/bin/pip install "jax==0.5.3" "jaxlib==0.5.3" "neural-tangents==0.6.5"
    nt-env/bin/python tests/golden/make_neural_tangents.py
"""

from itertools import product
from pathlib import Path

import jax
import numpy as np
from neural_tangents import stax

jax.config.update("jax_enable_x64", True)

ACTIVATIONS = {"relu": stax.Relu, "erf": stax.Erf, "linear": stax.Identity}
SCALES = [(1.0, 0.0), (1.5, 0.0), (1.3, 0.4)]  # W_std, b_std


def network_kernel(activation: str, depth: int, weight_std: float, bias_std: float):
    """Kernel function of `depth` Dense layers with the activation between them."""
    dense = stax.Dense(1, W_std=weight_std, b_std=bias_std, parameterization="ntk")
    layers = [dense]
    for _ in range(depth - 1):
        layers += [ACTIVATIONS[activation](), dense]
    return stax.serial(*layers)[2]


def main() -> None:
    rng = np.random.default_rng(20201103)
    x1, x2 = rng.normal(size=(6, 7)), rng.normal(size=(5, 7))
    x1 *= np.array([0.01, 0.3, 1, 1, 3, 10])[:, None]
    x2[0] = 0.5 * x1[2] + 0.4 * x2[0]  # near, but not where the library's arccos loses digits
    x2[1] = -0.5 * x1[3] + 0.4 * x2[1]
    configurations = list(product(ACTIVATIONS, (1, 2, 3, 4), SCALES))
    nngp, ntk = [], []
    for activation, depth, (weight_std, bias_std) in configurations:
        values = network_kernel(activation, depth, weight_std, bias_std)(x1, x2, ("nngp", "ntk"))
        nngp.append(np.asarray(values.nngp))
        ntk.append(np.asarray(values.ntk))
    np.savez_compressed(
        Path(__file__).with_name("neural_tangents.npz"),
        x1=x1,
        x2=x2,
        activation=np.array([c[0] for c in configurations]),
        depth=np.array([c[1] for c in configurations]),
        weight_std=np.array([c[2][0] for c in configurations]),
        bias_std=np.array([c[2][1] for c in configurations]),
        nngp=np.array(nngp),
        ntk=np.array(ntk),
    )


if __name__ == "__main__":
    main()
