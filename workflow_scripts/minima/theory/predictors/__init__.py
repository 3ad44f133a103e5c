"""Minimizers computed from a network's own start, a module each: `predict(linearization) -> Predicted`.

A module's name is what a cell's `predict` says (`minima.variables.PREDICTORS`).
"""
