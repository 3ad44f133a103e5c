"""One module per probe, what is recorded along the way beside the loss: `measure(state)` takes a
`minima.engine.state.State` and returns a number per network [E], or several [E, layers].

`NEEDS_START` and `NEEDS_TEST`, where they are there and true, say that the probe looks at the weights before
the first step and at the test points; `SAME_IN` names the other coordinates (`minima.forms`) in which the
probe measures the same as in the network's own. `ONCE` says that the probe is dear and measures at the first
recorded step alone: it is NaN at the others. `of_weights(ensemble, weights)`, where it is there, is stored
of the trained network too. By its class (`minima.plan.marks.Probe`) a module says what its numbers are and
what they need. A probe that needs theory is a module of `minima.theory.probes`.
"""
