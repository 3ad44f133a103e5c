"""One module per learning rate that theory names, `optimizer.lr: {rate: <module>, times: …}`: `rate(options,
state, spectrum)` returns the learning rate of one network at its start.

`options` is the section `lr` of a cell, whose `times` is applied by who asks; `state` is a
`minima.engine.state.State` of that network alone, in float64; `spectrum` holds the ascending eigenvalues of
its tangent kernel where the module says NEEDS_SPECTRUM = True, else None. A step is the learning rate times
the gradient of the training loss. By its class (`minima.plan.optimizers.NamedRate`) a module says its options
and what it cannot be the rate of.
"""
