"""Any optimizer written as PyTorch's are: a subclass of `torch.optim.Optimizer`, by its dotted name.

Every network has an instance of its own, whose parameters are views of the stack's memory, one per layer and
copy, so that what looks at a layer as a matrix sees one. The instances step one after the other. How the
class computes is no part of a cell's fingerprint, as PyTorch is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from pydantic import ConfigDict, Field

from minima.plan.optimizers import Optimizer
from minima.plan.options import VARIES

if TYPE_CHECKING:
    from torch import Tensor

    from minima.engine.instances import Instances


class TorchOptim(Optimizer):
    """An optimizer of PyTorch's kind, one network at a time: slower than those that step whole stacks."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)
    one_by_one = True

    dotted: str = Field(
        alias="class",
        pattern=r"^[A-Za-z_]\w*(\.[A-Za-z_]\w*)+$",
        description="Its dotted name, such as torch.optim.NAdam.",
    )
    lr: float = Field(gt=0, description="Step size η.", json_schema_extra=VARIES)
    arguments: dict[str, bool | int | float | str | list[float] | None] = Field(
        {}, description="What else the class is made with, such as {betas: [0.9, 0.99]}."
    )

    @classmethod
    def clock(cls, options: Mapping[str, Any]) -> tuple[str, float]:
        unit, time = super().clock(options)
        return f"{unit}, {options['class']}", time

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if self.dotted.rpartition(".")[2] == "LBFGS":
            yield (
                "optimizer.class: LBFGS passes all points several times a step, which the training loop "
                "does not: name a class that steps along the gradient it is given"
            )
        if "lr" in self.arguments:
            yield "optimizer.arguments: lr stands beside them, as optimizer.lr"
        if "adaptive_flow" in cell["predict"]:
            yield f"predict: adaptive_flow does not know which flow {self.dotted} follows"


def start_by_layers(
    theta: Tensor, shapes: Sequence[tuple[int, int]], options: Mapping[str, Any]
) -> list[Instances]:
    """`start_by_layers` returns the instances, one per network of a stack, whose rows `theta` hold layers of
    these shapes."""
    from minima.engine.instances import Instances, class_named

    cls = class_named(options["class"])
    return [Instances.of(cls, options["arguments"], theta, shapes)]


def step(
    theta: Tensor, gradient: Tensor, state: list[Instances], numbers: Mapping[str, Tensor], k: int
) -> None:
    """`step` lets every instance take its step."""
    state[0].step(theta, gradient, numbers["lr"])
