"""One module per reference. Kernel regressions have `kernel(x1, x2, *network)`: the kernel [n1, n2] of points
x1 and x2 (x1 itself where that is None), with network = (depth, activation, weight_std, bias_std). Where the
module says `OF_NETWORKS` the kernel looks at the network; where it says `WITH_GAMMA` it is given γ instead.

`beside(x_train, y_train, x_test, network, options, split)`, where it is there, returns what else the
reference says: name → (dimensions, values, meaning).
"""
