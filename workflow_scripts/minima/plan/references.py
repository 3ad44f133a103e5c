"""What the references of the config share. Each is a module of `minima.theory.references`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any

from pydantic import Field

from minima.plan.networks import kind_of
from minima.plan.parts import Part


class Reference(Part):
    """What is computed once per data and architecture, of no network's own start."""


class KernelRegression(Reference):
    """Kernel regression: the module has the kernel."""

    alpha: list[Annotated[float, Field(ge=0)]] = Field(
        [0.0], min_length=1, description="Ridges, in the kernel's units; 0 interpolates."
    )


class KernelOfNetworks(KernelRegression):
    """Kernel regression with a kernel of infinitely wide networks of the cell's architecture."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        network = kind_of(cell["network"]).model_validate(cell["network"])
        for need in network.wide_kernel_needs():
            yield f"the reference {self.called()} needs {need}"
