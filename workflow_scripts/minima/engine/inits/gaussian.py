"""Independent normal weights."""

from typing import Literal

from pydantic import Field

from minima.engine.draws import gaussian
from minima.plan.inits import LayerInit


class Gaussian(LayerInit):
    """Independent normal weights."""

    scheme: Literal["gaussian"] = Field("gaussian", description="Independent normal weights.")


draw = gaussian
