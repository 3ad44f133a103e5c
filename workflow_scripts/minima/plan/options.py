"""What every config model shares: unknown keys are errors, values are frozen."""

from pydantic import BaseModel, ConfigDict

# A field marked so may differ between the cells of one pack (a number the engine takes per network);
# every other field shapes the arrays or picks code, and is shared.
VARIES = {"varies": True}

NAME_PATTERN = r"^[a-z][a-z0-9_]*$"  # names become paths


class Options(BaseModel):
    """A mapping of the config. Frozen, closed (`extra="forbid"`) and finite."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
