"""Diabetes progression, embedded in scikit-learn."""

from minima.data.embedded import load

__all__ = ["load"]
