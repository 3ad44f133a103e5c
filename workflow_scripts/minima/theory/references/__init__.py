"""One module per reference. Kernel regressions have `kernel(x1, x2, depth, activation)`, the kernel [n1, n2]
of points x1 and x2 (x1 itself where that is None); a kernel of no network takes the last two as `*network`.

`choices(options, features)`, where it is there, returns the numbers of each kernel to fit, which `kernel` is
given by name. `beside(x_train, y_train, x_test, network, options, split)`, where it is there, returns what
else the reference says: name → (dimensions, values, meaning).
"""
