"""A torch module of the user's own: a class in a file that the config names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from pydantic import Field

from minima.plan import own_modules
from minima.plan.digest import canonical
from minima.plan.networks import BatchNormalized

if TYPE_CHECKING:
    from minima.engine.networks.module import ModuleNet

DRAW = "own"


class Module(BatchNormalized):
    """A torch module of your own."""

    OWN_START = True
    DEFAULTS: ClassVar[Mapping[str, Any]] = BatchNormalized.DEFAULTS | {"init": {"scheme": "own"}}

    file: str = Field(
        pattern=r"\.py$",
        description="A Python file, relative to the config file. What it imports beside it is its code, too.",
    )
    name: str = Field(
        pattern=r"^[A-Za-z_]\w*$",
        description="A class of the file: a torch.nn.Module that returns [rows, outputs] for inputs "
        "[rows, *shape of a row].",
    )
    args: dict[str, Any] = Field(
        {}, description="Arguments of the class; each can be an axis, such as network.args.width."
    )
    batch_norm: bool | Literal["frozen"] = Field(
        False,
        description="Whether the module normalizes batches; frozen: throughout with the statistics of the "
        "training points at the start.",
    )

    @property
    def label(self) -> str:
        return "_" + re.sub(r"[^a-z0-9]", "", self.name.lower())

    @classmethod
    def likeness(cls, options: Mapping[str, Any]) -> tuple[str, float, float]:
        word, width, depth = super().likeness(options)
        return f"{word}{options['file']} {options['name']}{canonical(options['args'])}", width, depth

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if reason := own_modules.problem(self.file, self.name, self.args):
            yield reason
        yield from super().impossible(cell)
        if "path_norm" in cell["record"]["probes"]:
            yield "record.probes: path_norm is known for chains of layers, not for network.kind: module"


def build(network: Mapping[str, Any], shape: tuple[int, ...], outputs: int) -> ModuleNet:
    """The net that a cell's `network` section describes, for rows of this shape."""
    from minima.engine.foreign import maker
    from minima.engine.networks.module import ModuleNet

    make = maker(own_modules.path_of(network["file"]), network["name"], network["args"])
    return ModuleNet.of(make, tuple(shape))
