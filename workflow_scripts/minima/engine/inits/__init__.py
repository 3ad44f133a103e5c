"""One module per initialization. `draw` makes weights as a kind of network asks for them:

- fully connected nets without biases: `draw(shapes, stds, seed, x)` gives one array [copies, out, in] per
  layer, with entries of these standard deviations; x [n, d] are the training points;
- torch modules: `draw(entry, generator)` gives the matrix [out, in] of one tensor that is drawn.

In place of `draw`, `start(model, options, seed, x)` gives all tensors, by a cell's `init` section. A module
with `DRAWS = False` has neither: any other scheme draws.

A module may also say: `ASKS_FOR`, what else `draw` is given by name: `y` [n, outputs], the cell's `init`
section as `options`, the `model`; `READOUT`, the weights with which copies are one network, f = Σ_k readout_k
f_k, drawn alike where one copy is drawn; `CENTRED`, that f − f₀ is trained; `stand_in(model, points)`, the
model whose weights these are, where it is not the one asked for.
"""
