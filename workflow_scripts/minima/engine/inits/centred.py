"""Train f − f₀: the kernel of the gaussian init without its initial function."""

from minima.engine.draws import gaussian

draw = gaussian
CENTRED = True
