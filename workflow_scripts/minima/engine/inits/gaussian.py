"""Independent normal weights."""

from minima.engine.draws import gaussian

draw = gaussian
