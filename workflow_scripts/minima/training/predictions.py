"""Every minimizer that a stack of networks is asked for, computed from their own start."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import numpy as np
import torch

from minima.engine.core import Recipe
from minima.engine.ensemble import Ensemble
from minima.theory.linearization import Linearization
from minima.training.kernels import Kernel
from minima.training.methods import rules_of
from minima.training.start import Arrays, Start


def predictions_of(linearization: Linearization, predictors: Sequence[str]) -> list[dict[str, Any]]:
    """`predictions_of` returns, per network, the variables of `minima.variables.PREDICTED` of these
    predictors."""
    found: list[dict[str, Any]] = [{} for _ in linearization.weights[0]]
    for name in predictors:
        predicted = import_module(f"minima.theory.predictors.{name}").predict(linearization)
        for quantity, values in vars(predicted).items():
            for row, value in enumerate(values.cpu().numpy()):
                found[row][f"{name}_{quantity}"] = value
    return found


def linearization_of(
    cells: Sequence[Mapping[str, Any]],
    ensemble: Ensemble,
    start: Start,
    kernels: Sequence[Kernel],
    splits: Sequence[Arrays],
    recipe: Recipe | None,
) -> Linearization:
    """`linearization_of` returns a stack of networks as predictors take them; `recipe` says how the networks
    are trained, None for a flow."""
    first, x = cells[0], start.x_all.double()
    return Linearization(
        ensemble,
        [weight.double() for weight in start.weights],
        x,
        start=(start.f - start.offset).double(),
        targets=torch.as_tensor(np.stack([split.y_train for split in splits])).to(x),
        kernel=torch.as_tensor(np.stack([kernel.values for kernel in kernels])).to(x),
        recipe=recipe,
        rules=rules_of(cells),
        residual=first["linearized_run"]["residual"],
        max_steps=first["linearized_run"]["max_steps"],
        growth=torch.tensor([cell["linearized_run"]["growth"] for cell in cells]).to(x),
        tolerance=first["network_run"]["tolerance"],
    )
