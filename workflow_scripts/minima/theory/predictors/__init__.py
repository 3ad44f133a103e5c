"""Minimizers computed from a network's own start, a module each: `predict(linearization) -> Predicted`.

A module's name is what a cell's `predict` says; by its class (`minima.plan.marks.Predictor`) the module says
what it needs and what it costs.
"""
