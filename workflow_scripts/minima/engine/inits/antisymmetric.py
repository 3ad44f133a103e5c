"""(f_a − f_b)/√2 with equal weights at the start: f₀ = 0 and the kernel of one copy."""

from minima.plan.inits import ChangedInit

DRAWS = False
READOUT = (0.5**0.5, -(0.5**0.5))  # of copies that are drawn alike


class Antisymmetric(ChangedInit):
    """(f_a − f_b)/√2 with f_a = f_b at the start, so f₀ = 0."""
