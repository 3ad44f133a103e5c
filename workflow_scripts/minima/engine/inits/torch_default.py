"""Weights and biases as PyTorch draws them."""

from minima.engine.inits.module_scheme import ModuleScheme, uniform

SCHEME = ModuleScheme(uniform)
