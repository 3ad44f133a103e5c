"""Which units of a torch module are on: the signs of all that goes into its activation functions."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor
from torch.overrides import TorchFunctionMode

# By name, as one function has several homes: torch, its tensors, torch.nn.functional; an underscore says that
# it writes over what it reads.
ACTIVATIONS = {"relu", "relu6", "leaky_relu", "prelu", "rrelu", "elu", "celu", "selu", "gelu", "silu", "mish"}
ACTIVATIONS |= {"softplus", "hardtanh", "hardswish", "hardsigmoid", "tanh", "sigmoid", "logsigmoid", "erf"}
BOUNDS = {"clamp", "clamp_min", "clip"}  # ReLU, where they stop at 0


@dataclass
class Signs(TorchFunctionMode):
    """`Signs` notes, while it is entered, where the inputs of activation functions are positive: one boolean
    tensor per call, in the order of the calls."""

    calls: list[Tensor] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()

    def __torch_function__(
        self, called: Callable, types: Any, args: tuple = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        kwargs = kwargs or {}
        name = getattr(called, "__name__", "").rstrip("_")
        if name in ACTIVATIONS or (name in BOUNDS and _least(args, kwargs) == 0):
            (value,) = args[:1] or [kwargs["input"]]
            self.calls.append(value > 0)  # before the call, which may write over it
        return called(*args, **kwargs)


def _least(args: tuple, kwargs: Mapping[str, Any]) -> Any:
    least = args[1] if len(args) > 1 else kwargs.get("min")
    return None if isinstance(least, Tensor) else least
