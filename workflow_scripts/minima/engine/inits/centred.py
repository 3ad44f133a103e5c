"""Train f − f₀: the kernel of the gaussian init without its initial function."""

from minima.engine.inits.scheme import Scheme, gaussian

SCHEME = Scheme(gaussian, centred=True)
