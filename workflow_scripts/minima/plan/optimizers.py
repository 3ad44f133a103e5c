"""What all optimizers of the config share. Each is a module of `minima.engine.optimizers`, schedules of the
step size of `minima.engine.schedules`, learning rates that theory names of `minima.theory.rates`."""

from collections.abc import Iterator, Mapping
from typing import Annotated, Any, ClassVar, Literal

from pydantic import Discriminator, Field, Tag

from minima.plan.files import training_rows
from minima.plan.linear_nets import not_linear_descent
from minima.plan.options import VARIES, Options
from minima.plan.parts import OneOf, Part


class RelativeRate(Options):
    """A learning rate in units of the stability edge."""

    relative: float = Field(gt=0, description="Fraction of the edge 2N/λmax of the tangent kernel at start.")


class RateOfLeast(Options):
    """A learning rate in units of the slowest mode."""

    relative_to_least: float = Field(
        gt=0,
        description="s of η = s·N/λmin, λmin the least eigenvalue of the tangent kernel at start: the share "
        "of the slowest mode's error that a step of gradient descent removes.",
    )


class Damping(Options):
    """A momentum in units of the slowest mode: μ = 1 − b√η, η the learning rate over N."""

    damping: float = Field(gt=0, description="b in units of √λmin of the tangent kernel at start.")


class NamedRate(Part):
    """A learning rate that theory names: a module of `minima.theory.rates`."""

    times: float = Field(1.0, gt=0, description="What the named rate is multiplied by.")


class RateOfKernel(NamedRate):
    """A learning rate in units of the tangent kernel at start."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        if (loss := cell["loss"]) != "mse":
            yield f"optimizer.lr: {self.called()} is about loss: mse, not {loss}"


class RateOfLinearDescent(NamedRate):
    """A learning rate of a theorem on gradient descent of two linear layers."""

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        return (f"optimizer.lr: {self.called()} {why}" for why in not_linear_descent(cell))


def below_one() -> Any:
    """`below_one` returns the field of c1."""
    description = "c1: the share of α0 below which λmin(τ) must not fall."
    return Field(0.5, gt=0, lt=1, description=description, json_schema_extra=VARIES)


def above_one() -> Any:
    """`above_one` returns the field of c2."""
    description = "c2: how many times β0 is above λmax(τ)."
    return Field(1.5, gt=1, description=description, json_schema_extra=VARIES)


class RateOfBounds(RateOfLinearDescent):
    """A learning rate of the bounds of `minima.theory.descent_bound`."""

    c1: float = below_one()
    c2: float = above_one()


def _form_of_rate(rate: Any) -> str:
    if isinstance(rate, NamedRate) or (isinstance(rate, dict) and "rate" in rate):
        return "named"
    if isinstance(rate, RateOfLeast) or (isinstance(rate, dict) and "relative_to_least" in rate):
        return "of the least"
    return "a mapping" if isinstance(rate, dict | RelativeRate) else "a number"


Rate = Annotated[
    Annotated[float, Field(gt=0), Tag("a number")]
    | Annotated[RelativeRate, Tag("a mapping")]
    | Annotated[RateOfLeast, Tag("of the least")]
    | Annotated[Any, OneOf("rates", "rate"), Tag("named")],
    Discriminator(_form_of_rate),
]
Momentum = Annotated[
    Annotated[float, Field(ge=0, lt=1), Tag("a number")] | Annotated[Damping, Tag("a mapping")],
    Discriminator(lambda momentum: "a mapping" if isinstance(momentum, dict | Damping) else "a number"),
]


class Schedule(Part):
    """How the step size changes: a module's `schedule(options, last)`."""


AnySchedule = Annotated[Any, OneOf("schedules", "kind", "constant")]


class WeightDecay(Options):
    """A pull of the weights, added to the gradient or (decoupled) to the step."""

    strength: float = Field(0.0, ge=0, description="λ of λ(θ − anchor).", json_schema_extra=VARIES)
    toward: Literal["zero", "start"] = Field("zero", description="Anchor: 0, or the weights at the start.")


def _in_units(rate: Any) -> tuple[str, float]:
    """`_in_units` returns the unit of a learning rate, given as plain values, and its number."""
    if not isinstance(rate, Mapping):
        return "absolute", rate
    return (rate["rate"], rate["times"]) if "rate" in rate else next(iter(rate.items()))


class OptimizerBase(Part):
    """What the plan must know of every optimizer."""

    family: ClassVar[str] = ""  # of optimizers whose steps keep the same time: its own name where empty
    one_by_one: ClassVar[bool] = False  # whether the networks of a stack step one after the other

    @classmethod
    def clock(cls, options: Mapping[str, Any]) -> tuple[str, float]:
        """`clock` returns the unit of the rate, and a step's time in that unit: training takes as long in
        this time, whatever the rate. `options` are plain values."""
        raise NotImplementedError


class Optimizer(OptimizerBase):
    """The options of optimizers that take steps."""

    time_of_rate: ClassVar[float] = 1.0  # the power of the learning rate that a step's time is

    lr: Rate = Field(
        RelativeRate(relative=0.5),
        description="Step size η, or {relative: r}: r times the stability edge of gradient descent, or "
        "{relative_to_least: s}: the rate at which a step of gradient descent removes the share s of the "
        "slowest mode's error, or {rate: name, times: t}: one that theory names.",
        json_schema_extra=VARIES,
    )
    batch_size: int | None = Field(None, ge=1, description="Points per step; null: all.")
    replacement: bool = Field(False, description="Draw batches with replacement, not epoch by epoch.")
    schedule: AnySchedule = Field(
        {"kind": "constant"}, validate_default=True, description="How η changes with the steps."
    )
    weight_decay: WeightDecay = Field(WeightDecay(), description="Pull of the weights.")

    @classmethod
    def memory(cls, options: Mapping[str, Any]) -> float:
        """`memory` returns the share of a step that goes on in the next, of plain values of the options."""
        return 0.0

    @classmethod
    def clock(cls, options: Mapping[str, Any]) -> tuple[str, float]:
        unit, rate = _in_units(options["lr"])
        return unit, rate**cls.time_of_rate / max(1 - cls.memory(options), 0.02)

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        rows, loss = training_rows(cell["data"]), cell["loss"]
        if self.batch_size is not None and self.batch_size > rows:
            yield f"optimizer.batch_size {self.batch_size} is more than the {rows} training rows"
        if loss != "mse" and isinstance(self.lr, RelativeRate | RateOfLeast):
            yield f"optimizer.lr: the stability edge is that of loss: mse; with {loss} give an absolute rate"


class OptimizerWithMomentum(Optimizer):
    """The options of descent with one momentum."""

    family = "descent"

    momentum: Momentum = Field(0.9, description="μ, or {damping: b}: μ = 1 − b√η.", json_schema_extra=VARIES)

    @classmethod
    def memory(cls, options: Mapping[str, Any]) -> float:
        return options["momentum"]

    @classmethod
    def clock(cls, options: Mapping[str, Any]) -> tuple[str, float]:
        momentum, rate = options["momentum"], options["lr"]
        if not isinstance(momentum, Mapping):
            return super().clock(options)
        unit, number = _in_units(rate)
        return f"{unit}, damped", number**0.5 / momentum["damping"]  # 1 − μ = b√η in that unit

    def impossible(self, cell: Mapping[str, Any]) -> Iterator[str]:
        yield from super().impossible(cell)
        if not isinstance(self.momentum, Damping):
            return
        if (loss := cell["loss"]) != "mse":
            only = f"is in units of loss: mse; with {loss} give an absolute momentum"
            yield f"optimizer.momentum: damping {only}"
        damping = self.momentum.damping
        least = self.lr.relative_to_least if isinstance(self.lr, RateOfLeast) else 0.0
        if damping * least**0.5 >= 1:
            yield (
                f"optimizer.momentum: damping {damping:g} at this learning rate is a momentum of "
                f"{1 - damping * least**0.5:.3g}: it must be above 0, so damping below {least**-0.5:.3g}"
            )


AnyOptimizer = Annotated[Any, OneOf("optimizers", "name", "gd")]


def share(default: float, description: str) -> Any:
    """`share` returns the field of a number in [0, 1) that may differ between the networks of a pack."""
    return Field(default, ge=0, lt=1, description=description, json_schema_extra=VARIES)


def beside_the_root(default: float) -> Any:
    """`beside_the_root` returns the field of ε in 1/(√S + ε)."""
    return Field(default, ge=0, description="ε beside the root.", json_schema_extra=VARIES)
