"""One module per schedule of the step size: `schedule(options, last)` returns what multiplies η at step
k = 0, 1, 2 …, a function of (numbers, k), or None for nothing.

`options` is the schedule's section of a cell and `last` the last step of the training. `numbers` holds the
hyperparameters per network, [E, 1, 1, 1]; so does the factor.
"""
