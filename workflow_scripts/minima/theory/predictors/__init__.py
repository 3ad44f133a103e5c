"""Minimizers computed from a network's own start, a module each: `predict(linearization) -> Predicted`.

A module's name is what a cell's `predict` says; by its class (`minima.plan.marks.Predictor`) the module says
what it needs and what it costs.

Examples:
    Of any network, by name. Of a linear model the prediction is exact: both end at the point of least norm.

    >>> import torch
    >>> from minima import predict_minimizer
    >>> net = torch.nn.Linear(2, 1, bias=False)
    >>> net.weight.data.zero_()
    tensor([[0., 0.]])
    >>> x, y, x_test = torch.tensor([[1.0, 0.0]]), torch.tensor([2.0]), torch.tensor([[1.0, 1.0]])
    >>> found = predict_minimizer(net, x, y, x_test, which=["linearized", "interpolant"], verbose=False)
    >>> found.test.values.round(6).tolist()
    [[[2.0]], [[2.0]]]
"""
