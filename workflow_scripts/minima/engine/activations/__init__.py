"""One module per activation φ on stacked tensors: its value, and the chain rule through it.

`value(a, h)` writes φ(a) to h and returns it. What the chain rule needs is kept: a where the module says
KEEPS_INPUT, and h is memory of its own; else h, which is a. `pull_back(δ, kept)` returns δ ⊙ φ'(a), written
over δ, and `slope(kept)` φ'(a), written over what was kept.
"""
