"""The optimizers of the config: their numbers, defaults and bounds. How each steps is its module of
`minima.engine.optimizers`, of the same name."""

from typing import Annotated, Any, Literal

from pydantic import Discriminator, Field, Tag

from minima.plan.options import VARIES, Options, tagged


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


def _form_of_rate(rate: Any) -> str:
    if isinstance(rate, RateOfLeast) or (isinstance(rate, dict) and "relative_to_least" in rate):
        return "of the least"
    return "a mapping" if isinstance(rate, dict | RelativeRate) else "a number"


Rate = Annotated[
    Annotated[float, Field(gt=0), Tag("a number")]
    | Annotated[RelativeRate, Tag("a mapping")]
    | Annotated[RateOfLeast, Tag("of the least")],
    Discriminator(_form_of_rate),
]
Momentum = Annotated[
    Annotated[float, Field(ge=0, lt=1), Tag("a number")] | Annotated[Damping, Tag("a mapping")],
    Discriminator(lambda momentum: "a mapping" if isinstance(momentum, dict | Damping) else "a number"),
]


class NoSchedule(Options):
    """The same step size throughout."""

    kind: Literal["constant"] = Field("constant", description="No schedule.")


class StepSchedule(Options):
    """η is multiplied by `factor` every `length` steps."""

    kind: Literal["step"] = Field("step", description="η ← η · factor every length steps.")
    length: int = Field(ge=1, description="Steps between two changes.", json_schema_extra=VARIES)
    factor: float = Field(0.1, gt=0, lt=1, description="What η is multiplied by.", json_schema_extra=VARIES)


class CosineSchedule(Options):
    """η falls to 0 as half a cosine over `length` steps."""

    kind: Literal["cosine"] = Field("cosine", description="η · (1 + cos(π k/length))/2.")
    length: int = Field(ge=1, description="Steps until η is 0.", json_schema_extra=VARIES)


class InverseSchedule(Options):
    """η/(1 + k/length)."""

    kind: Literal["inverse"] = Field("inverse", description="η/(1 + k/length).")
    length: int = Field(ge=1, description="Steps until η has halved.", json_schema_extra=VARIES)


class MilestoneSchedule(Options):
    """η is multiplied by `factor` at fractions of the whole training."""

    kind: Literal["milestones"] = Field("milestones", description="η ← η · factor at each fraction.")
    at: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.5, 0.75], min_length=1, description="Fractions of stop.max_steps."
    )
    factor: float = Field(0.1, gt=0, lt=1, description="What η is multiplied by.", json_schema_extra=VARIES)


Schedule = Annotated[
    NoSchedule | StepSchedule | CosineSchedule | InverseSchedule | MilestoneSchedule,
    Field(discriminator="kind"),
]


class WeightDecay(Options):
    """A pull of the weights, added to the gradient or (decoupled) to the step."""

    strength: float = Field(0.0, ge=0, description="λ of λ(θ − anchor).", json_schema_extra=VARIES)
    toward: Literal["zero", "start"] = Field("zero", description="Anchor: 0, or the weights at the start.")


class OptimizerOptions(Options):
    """The options that every optimizer has."""

    lr: Rate = Field(
        RelativeRate(relative=0.5),
        description="Step size η, or {relative: r}: r times the stability edge of gradient descent, or "
        "{relative_to_least: s}: the rate at which a step of gradient descent removes the share s of the "
        "slowest mode's error.",
        json_schema_extra=VARIES,
    )
    batch_size: int | None = Field(None, ge=1, description="Points per step; null: all.")
    replacement: bool = Field(False, description="Draw batches with replacement, not epoch by epoch.")
    schedule: Schedule = Field(NoSchedule(), description="How η changes with the steps.")
    weight_decay: WeightDecay = Field(WeightDecay(), description="Pull of the weights.")


class GradientDescent(OptimizerOptions):
    """Gradient descent: θ ← θ − η g."""

    name: Literal["gd"] = Field("gd", description="Gradient descent.")


class StochasticGradientDescent(OptimizerOptions):
    """Gradient descent on mini-batches."""

    name: Literal["sgd"] = Field(description="Stochastic gradient descent.")
    batch_size: int = Field(1, ge=1, description="Points per step.")


def _momentum(default: float = 0.9, description: str = "μ.") -> Any:
    return Field(default, ge=0, lt=1, description=description, json_schema_extra=VARIES)


def _relative_momentum() -> Any:
    return Field(0.9, description="μ, or {damping: b}: μ = 1 − b√η.", json_schema_extra=VARIES)


class HeavyBall(OptimizerOptions):
    """Polyak's momentum: v ← μ v + g, θ ← θ − η v."""

    name: Literal["heavy_ball"] = Field(description="Polyak's heavy ball.")
    momentum: Momentum = _relative_momentum()


class Nesterov(OptimizerOptions):
    """v ← μ v + g, θ ← θ − η(g + μ v): the gradient's point θ is the one recorded."""

    name: Literal["nesterov"] = Field(description="Nesterov's method, constant momentum.")
    momentum: Momentum = _relative_momentum()


class NesterovConvex(OptimizerOptions):
    """Nesterov's method with μ_k = (k − 1)/(k + r − 1) at step k = 1, 2 …"""

    name: Literal["nesterov_convex"] = Field(description="Nesterov's method for convex losses.")
    r: float = Field(3.0, ge=1, description="r of μ_k = (k − 1)/(k + r − 1).", json_schema_extra=VARIES)


class NesterovStrong(OptimizerOptions):
    """Nesterov's method with μ = (1 − √(ηm))/(1 + √(ηm))."""

    name: Literal["nesterov_strong"] = Field(description="Nesterov's method for strongly convex losses.")
    curvature: float = Field(gt=0, description="m, the least curvature.", json_schema_extra=VARIES)


class HigherMomentum(OptimizerOptions):
    """v_k = β1 v_{k−1} + β2 v_{k−2} + g, θ ← θ − η v_k."""

    name: Literal["higher_momentum"] = Field(description="Momentum with two terms.")
    beta1: float = _momentum(0.2, "β1.")
    beta2: float = _momentum(0.2, "β2.")


def _epsilon(default: float) -> Any:
    return Field(default, ge=0, description="ε beside the root.", json_schema_extra=VARIES)


class AdaGrad(OptimizerOptions):
    """S ← S + g², θ ← θ − η g/(√S + ε), coordinate by coordinate."""

    name: Literal["adagrad"] = Field(description="AdaGrad.")
    epsilon: float = _epsilon(1e-10)


class AdaGradNorm(OptimizerOptions):
    """S ← S + ‖g‖², θ ← θ − η g/(√S + ε): one step size for all coordinates."""

    name: Literal["adagrad_norm"] = Field(description="AdaGrad-Norm.")
    epsilon: float = _epsilon(1e-10)


class RMSprop(OptimizerOptions):
    """S ← αS + (1 − α)g², θ ← θ − η g/(√S + ε)."""

    name: Literal["rmsprop"] = Field(description="RMSprop.")
    alpha: float = _momentum(0.99, "α.")
    epsilon: float = _epsilon(1e-8)


class Adam(OptimizerOptions):
    """Adam; weight decay is part of the gradient."""

    name: Literal["adam"] = Field(description="Adam.")
    beta1: float = _momentum(0.9, "β1.")
    beta2: float = _momentum(0.999, "β2.")
    epsilon: float = _epsilon(1e-8)


class AdamW(Adam):
    """Adam with decoupled weight decay: θ ← θ − ηλ(θ − anchor) beside the step."""

    name: Literal["adamw"] = Field(description="Adam, weight decay decoupled.")


class SignDescent(OptimizerOptions):
    """θ ← θ − η sign g."""

    name: Literal["sign"] = Field(description="Sign descent.")


class Preconditioned(OptimizerOptions):
    """θ ← θ − η D g with D = 1/(|g₀| + ε) fixed at the first step: a control for the adaptive methods."""

    name: Literal["preconditioned"] = Field(description="Fixed diagonal preconditioner.")
    epsilon: float = _epsilon(1e-10)


class Flow(Options):
    """Gradient flow dθ/dt = −∂L/∂θ, where gradient descent goes as η → 0; loss: mse only."""

    name: Literal["flow"] = Field(description="Gradient flow, by an integrator with error control.")
    tolerance: float = Field(
        1e-3,
        gt=0,
        lt=1,
        description="Error of a step on the training points, relative to ‖y − f₀‖; about the relative error "
        "of the predictions at the end.",
        json_schema_extra=VARIES,
    )


Optimizer = Annotated[
    Annotated[GradientDescent, Tag("gd")]
    | Annotated[StochasticGradientDescent, Tag("sgd")]
    | Annotated[HeavyBall, Tag("heavy_ball")]
    | Annotated[Nesterov, Tag("nesterov")]
    | Annotated[NesterovConvex, Tag("nesterov_convex")]
    | Annotated[NesterovStrong, Tag("nesterov_strong")]
    | Annotated[HigherMomentum, Tag("higher_momentum")]
    | Annotated[AdaGrad, Tag("adagrad")]
    | Annotated[AdaGradNorm, Tag("adagrad_norm")]
    | Annotated[RMSprop, Tag("rmsprop")]
    | Annotated[Adam, Tag("adam")]
    | Annotated[AdamW, Tag("adamw")]
    | Annotated[SignDescent, Tag("sign")]
    | Annotated[Preconditioned, Tag("preconditioned")]
    | Annotated[Flow, Tag("flow")],
    tagged("name", "gd"),
]
