"""What the config says of recording: the grid of steps, and what is kept there."""

from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from minima.plan import parts
from minima.plan.options import LATER, Options


class Plane(Options):
    """A square grid over the plane of the inputs, on which a trained network is evaluated."""

    side: int = Field(100, ge=2, le=1000, description="Points per side.")
    low: float = Field(-3.0, description="Least coordinate.")
    high: float = Field(3.0, description="Largest coordinate.")

    @model_validator(mode="after")
    def _has_a_size(self) -> "Plane":
        if self.low >= self.high:
            raise ValueError(f"low {self.low:g} is not below high {self.high:g}")
        return self


class Record(Options):
    """What is recorded during training."""

    model_config = ConfigDict(defer_build=True)

    steps_per_decade: int = Field(
        10, ge=1, le=1000, description="Number of recorded steps per decade, log-spaced."
    )
    steps: list[Annotated[int, Field(ge=0)]] | None = Field(
        None, min_length=1, description="The recorded steps, in place of log-spaced ones."
    )
    every: int | None = Field(
        None,
        ge=1,
        description="Every so many steps is recorded, and the last one, in place of log-spaced ones.",
        json_schema_extra=LATER,
    )
    probes: list[Annotated[str, parts.NameOf("probes")]] = Field(
        [], description="What else is kept at the recorded steps."
    )
    plane: Plane | None = Field(
        None, description="Grid on which a trained network is evaluated, for data in the plane."
    )
    residuals: list[Annotated[float, Field(gt=0, lt=1)]] = Field(
        [0.1, 0.01], description="Residuals; the first step at or below each is recorded."
    )
    spectrum: bool = Field(
        False,
        description="Keep the tangent kernel's eigenvalues at the start and the error's components along its "
        "eigenvectors, from which minima.theory.dynamics predicts the training curve (loss: mse).",
    )

    @model_validator(mode="after")
    def _one_grid(self) -> "Record":
        if self.steps is not None and self.every is not None:
            raise ValueError("steps and every both say which steps are recorded: give one of them")
        return self
