"""One module per optimizer: `start(theta) -> state` and

    step(theta, gradient, state, numbers, k)

which takes step k = 1, 2 … in place. `theta` [E, K, 1, P] holds all trained weights of each copy of each
network in a row, `gradient` ∂L/∂θ likewise, which the step may overwrite; `state` is a list of tensors,
networks along their first dimension; `numbers` holds the hyperparameters per network, [E, 1, 1, 1]. `LINEAR`,
where it is there and true, says that the steps are linear combinations of gradients with a factor per
network, so that the first layer can be trained in its Gram form. `preconditioner(state, numbers, k)`, where
it is there, gives the D of a step θ ← θ − ηDg per coordinate, as it was at step k. `COMES_TO_REST` says that
D stops moving where the gradients vanish. `SQUARES` says that D is 1/√S coordinate by coordinate, so that the
flow at small steps is known (`minima.theory.flows`): what S keeps, the α of S ← αS + (1 − α)g² or None where
S ← S + g², and whether S is divided by 1 − α^k. `MEMORY` says what a step remembers of gradients, so that
what many steps do together is known (`minima.theory.methods`): None, or the name of β in a ← βa + g with how
a enters the step, `sum`, `ahead` (Nesterov's) or `mean` (a ← βa + (1 − β)g, over 1 − β^k). `DEGREE` says
with which power of the gradient steps grow, where neither `LINEAR` (1) nor `SQUARES` (0) does. `READS_LOSS`
asks for `numbers["loss"]`, the loss [E, 1, 1, 1] that this gradient is of. `FROM_START` names a module of
theory whose `numbers(options, state)` makes more numbers of one network's start, from the cell's optimizer
section and a `minima.engine.state.State` of that network alone. An optimizer that looks at layers, or has
options that are no numbers, has `start_by_layers(theta, shapes, options)` in place of `start`.
"""
