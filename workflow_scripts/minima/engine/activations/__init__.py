"""One module per activation φ on stacked tensors: its value, and the chain rule through it.

`value(a) -> (φ(a), kept)`; `pull_back(δ, kept) -> δ ⊙ φ'(a)`. Both may overwrite their first argument.
"""
