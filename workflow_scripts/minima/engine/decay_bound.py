"""A bound on how much of the loss a step leaves, and the step that makes the bound least.

    L(t+1) ≤ f(η, L(t)) L(t),   f(η, L) = 1 − a1 η + (a2 + b2 √L) η² + a3 √L η³ + a4 L η⁴

Theory knows where the coefficients come from (`minima.theory.descent_bound`); the optimizer that takes these
steps asks for no more than is here. Numbers, NumPy arrays and tensors go in alike.
"""

from typing import Any, NamedTuple

NEWTON_STEPS = 8  # from less than three roots to rounding, also where the cube is all there is


class DecayBound(NamedTuple):
    """`DecayBound` holds the coefficients of f."""

    fall: Any  # a1
    square: Any  # a2
    square_of_root: Any  # b2
    cube_of_root: Any  # a3
    fourth_of_loss: Any  # a4

    def factor(self, rate: Any, loss: Any) -> Any:
        """`factor` returns f(η, L)."""
        root = loss**0.5
        inner = (self.fourth_of_loss * loss * rate + self.cube_of_root * root) * rate
        return 1 + rate * (rate * (self.square + self.square_of_root * root + inner) - self.fall)

    def best_rate(self, loss: Any) -> Any:
        """`best_rate` returns the η at which f(η, L) is least."""
        root = loss**0.5
        square = self.square + self.square_of_root * root
        return positive_root(
            4 * self.fourth_of_loss * loss, 3 * self.cube_of_root * root, 2 * square, self.fall
        )

    def per_point(self, points: int) -> "DecayBound":
        """`per_point` returns the same bound in units of the mean loss L/N, of which the step is Nη."""
        return DecayBound(
            self.fall / points,
            self.square / points**2,
            self.square_of_root / points**1.5,
            self.cube_of_root / points**2.5,
            self.fourth_of_loss / points**3,
        )


def positive_root(cube: Any, square: Any, slope: Any, value: Any) -> Any:
    """`positive_root` returns the η > 0 with cube η³ + square η² + slope η = value, by Newton's method;
    value > 0, and the others are ≥ 0 and not all 0.

    Each term alone has its root at or above η, and one of them within 3η: the start is between η and 3η,
    whence Newton's steps fall to η, as the polynomial is convex.
    """
    at = 3 / (slope / value + (square / value) ** 0.5 + (cube / value) ** (1 / 3))
    for _ in range(NEWTON_STEPS):
        height = ((cube * at + square) * at + slope) * at - value
        at = at - height / ((3 * cube * at + 2 * square) * at + slope)
    return at
