"""One module per training loss: `loss(f, y, out=None) -> (L [E], ∂L/∂f [E, n, outputs])`.

f and y are predictions and targets [E, n, outputs] of stacked networks; L is a mean over points of terms ≥ 0,
one value per network. The slope is written to `out`, where it is given. Theory needs no more of a loss.
"""
