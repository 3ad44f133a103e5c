"""JDJᵀ in a weight matrix where rows of J are few outer products, from pairs of points, never forming rows.

With the row of point x and output a Σ_p g_ap(x) h_p(x)ᵀ, summed over positions p (one, of a fully connected
layer at one point),

    (JDJᵀ)[(x, a), (x', b)] = Σ_{p, p'} Σ_ij D_ij g_api(x) g_bp'i(x') h_pj(x) h_p'j(x')

is a matrix product with D of one factor's products of pairs of points, then a sum over the other's: with
several outputs D is not multiplied anew for each pair of them.
"""

from torch import Tensor

from minima.engine.device import cache_bytes
from minima.engine.products import matmul


def pay(signals: Tensor) -> bool:
    """`pay` returns whether pairs of points cost less than rows of J, by a good margin."""
    return 2 * signals.shape[2] <= signals.shape[1] or signals.shape[2] == 1


def of_outputs(hidden: Tensor, signals: Tensor, d: Tensor) -> Tensor:
    """`of_outputs` returns JDJᵀ [n·o, n·o] for h [n, positions, in], g [n, o, positions, out] and D
    [out, in], point after point; the rest is symmetry."""
    points, outputs, positions, units = signals.shape
    kernel = d.new_empty(points, outputs, points, outputs)
    for x in range(points):
        pairs = hidden[x:].unsqueeze(2) * hidden[x]  # [n − x, p', p, in]
        inner = matmul(pairs.flatten(0, 2), d.mT).view(-1, positions, 1, positions * units)
        right = inner[:, 0] * _repeated(signals[x:, :, 0], positions)  # [n − x, o, p·out]
        for other in range(1, positions):
            right.addcmul_(inner[:, other], _repeated(signals[x:, :, other], positions))
        block = matmul(signals[x].flatten(1), right.flatten(0, 1).mT).unflatten(1, (-1, outputs))
        kernel[x, :, x:] = block
        kernel[x:, :, x] = block.permute(1, 2, 0)
    return kernel.flatten(2).flatten(0, 1)


def of_one_output(g: Tensor, h: Tensor, d: Tensor) -> Tensor:
    """`of_one_output` returns JDJᵀ [E, n, n] for g [E, n, out], h [E, n, in] and D [E, out, in]: a product
    over the units or the inputs, whichever are more, in blocks of points whose pairs fit the cache."""
    used = (h.abs().amax((0, 1)) > 0).nonzero()[:, 0]  # all but blank pixels
    if len(used) < h.shape[2]:
        h, d = h.index_select(2, used), d.index_select(2, used)
    many, few = (g, h) if g.shape[2] >= h.shape[2] else (h, g)
    d = d if many is g else d.mT  # [E, many, few]
    if few.shape[2] == 1:
        return matmul(many * d.mT, many.mT).mul_(few).mul_(few.mT)
    networks, points, size = many.shape
    total, begin = d.new_empty(networks, points, points), 0
    while begin < points:
        end = begin + fitting(networks * (points - begin) * size * d.element_size())
        own = [(factor[:, begin:end], factor[:, begin:]) for factor in (many, few)]
        left, right = (one.unsqueeze(2) * other.unsqueeze(1) for one, other in own)
        block = right.mul_(matmul(left.flatten(1, 2), d).view_as(right)).sum(3)
        total[:, begin:end, begin:] = block
        total[:, begin:, begin:end] = block.mT
        begin = end
    return total


def fitting(each: int) -> int:
    """`fitting` returns how many arrays of so many bytes half a core's cache holds, one at least."""
    return max(1, cache_bytes() // (2 * each))


def _repeated(signals: Tensor, positions: int) -> Tensor:
    return signals if positions == 1 else signals.repeat(1, 1, positions)
