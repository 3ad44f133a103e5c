"""Every minimizer that a stack of networks is asked for, computed from their own start."""

from collections.abc import Sequence
from importlib import import_module
from typing import Any

from minima.theory.linearization import Linearization


def predictions(names: Sequence[str], linearization: Linearization) -> list[dict[str, Any]]:
    """`predictions` returns, per network, the variables of `minima.variables.PREDICTED` of every
    predictor."""
    found: list[dict[str, Any]] = [{} for _ in linearization.targets]
    for name in names:
        predicted = import_module(f"minima.theory.predictors.{name}").predict(linearization)
        for quantity, values in vars(predicted).items():
            for row, value in enumerate(values.cpu().numpy()):
                found[row][f"{name}_{quantity}"] = value
    return found
