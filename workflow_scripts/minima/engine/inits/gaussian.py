"""Independent normal weights."""

from minima.engine.inits.scheme import Scheme, gaussian

SCHEME = Scheme(gaussian)
