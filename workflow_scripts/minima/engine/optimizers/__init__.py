"""One module per optimizer: `start(weights) -> state` and

    step(weights, state, numbers, add_gradient, k)

which takes step k = 1, 2 … in place. `weights` and `state` are tensors [E, K, out, in]; `numbers` holds the
hyperparameters per network, [E, 1, 1, 1]; `add_gradient(into, c)` adds c·g to the tensors `into` (which may
be the weights themselves) and is called once a step, before the weights move.
`LINEAR`, where it is there and true, says that the steps are linear combinations of gradients with a factor
per network, so that the first layer can be trained in its Gram form. `preconditioner(state, numbers, k)`,
where it is there, gives the D of a step θ ← θ − ηDg per coordinate, as it was at step k. `COMES_TO_REST` says
that D stops moving where the gradients vanish.
"""
