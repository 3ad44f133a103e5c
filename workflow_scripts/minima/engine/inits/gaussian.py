"""Independent normal weights."""

from minima.engine.draws import gaussian
from minima.plan.inits import LayerInit


class Gaussian(LayerInit):
    """Independent normal weights."""


draw = gaussian
