"""What theory about training two linear layers asks of a cell."""

from collections.abc import Iterator, Mapping
from typing import Any

from minima.plan.inits import copies
from minima.plan.networks import is_two_linear_layers


def not_linear_descent(cell: Mapping[str, Any]) -> Iterator[str]:
    """`not_linear_descent` yields why a cell is not gradient descent of the squared error on one network of
    two linear layers, each reason as it stands behind the name of what needs that."""
    network, loss, scheme = cell["network"], cell["loss"], cell["init"]["scheme"]
    if not is_two_linear_layers(network):
        yield "is for two linear layers: activation: linear, depth: 2"
    elif network["frozen"]:
        yield f"is for two layers that are both trained, and network.frozen names {network['frozen']}"
    if loss != "mse":
        yield f"is about loss: mse, not {loss}"
    if copies(scheme) > 1:
        yield f"is about one network, and init.scheme: {scheme} makes one of {copies(scheme)}"
