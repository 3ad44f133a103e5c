"""The linearized network trained as the network itself is: same optimizer, step size, schedule and batches.

Gradient descent in closed form; whatever is linear in the gradients on the kernel alone; the others on the
linearized network, coordinate by coordinate. All stop at a residual of their own, `Linearization.residual`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from minima.engine.core import Recipe, train
from minima.engine.losses import mse
from minima.engine.record import Finished, Rules
from minima.engine.schedules import constant
from minima.theory.linear_model import LinearizedNetwork
from minima.theory.linearization import Linearization, Predicted
from minima.theory.trajectories import run_linear, spectrum


@dataclass(frozen=True)
class Run:
    """Where it ended, and the preconditioner of its last step [E, p]; None for the identity."""

    predicted: Predicted
    preconditioner: Tensor | None = None


def run(linearization: Linearization) -> Run:
    """Trains E linearized networks; the functions of those that did not converge are NaN."""
    recipe = linearization.recipe
    if recipe is None:  # gradient flow
        return Run(linearization.of_dual(linearization.solve(linearization.within, linearization.error)))
    assert recipe.loss is mse
    if recipe.decay_toward is None and getattr(recipe.optimizer, "LINEAR", False):
        return Run(_descend(linearization) if _is_plain(recipe) else _on_the_kernel(linearization))
    return _on_the_parameters(linearization)


def _is_plain(recipe: Recipe) -> bool:
    name = recipe.optimizer.__name__.rpartition(".")[2]
    return name in ("gd", "sgd") and recipe.batches is None and recipe.schedule is constant


def _descend(linearization: Linearization) -> Predicted:
    modes = spectrum(linearization.within, linearization.error)
    rate = linearization.recipe.numbers["lr"].to(modes.parts) / linearization.points
    steps = modes.steps_to(linearization.residual, rate, linearization.max_steps)
    found = linearization.of_dual(modes.dual(steps, rate).view_as(linearization.error), steps=steps)
    return found.where(found.residual <= linearization.residual * (1 + 1e-6))


def _on_the_kernel(linearization: Linearization) -> Predicted:
    done = run_linear(linearization.within, linearization.error, linearization.recipe, _rules(linearization))
    dual = torch.stack([one.weights[0].flatten() for one in done]).view_as(linearization.error)
    return linearization.of_dual(dual, steps=_steps(done, dual)).where(_good(done, dual))


def _on_the_parameters(linearization: Linearization) -> Run:
    """Weights are those of the networks, θ, not u: a decay toward 0 pulls at θ. Jθ is y − f₀ + Jθ₀ then."""
    recipe, model = linearization.recipe, LinearizedNetwork(linearization.ensemble)
    x = model.features(linearization.factors.first(linearization.points))
    offset, _ = model.forward(linearization.weights, x)
    weights = [weight.clone() for weight in linearization.weights]
    done = sorted(
        train(model, weights, x, linearization.error + offset, recipe, _rules(linearization)),
        key=lambda one: one.index,
    )
    moved = _flat(linearization, [one.weights for one in done]) - _flat(
        linearization, list(zip(*linearization.weights, strict=True))
    )
    predicted = linearization.of_moved(moved, _steps(done, moved)).where(_good(done, moved))
    if not hasattr(recipe.optimizer, "preconditioner"):
        return Run(predicted)
    ends = [
        recipe.optimizer.preconditioner(
            one.state,
            {name: number[one.index].to(moved) for name, number in recipe.numbers.items()},
            one.steps,
        )
        for one in done
    ]
    return Run(predicted, torch.stack([torch.cat([part.flatten() for part in end]) for end in ends]))


def _flat(linearization: Linearization, networks: list) -> Tensor:
    """Parameters [E, p] of networks given as weights per layer."""
    trained = linearization.ensemble.trained
    return torch.stack([torch.cat([layers[layer].flatten() for layer in trained]) for layers in networks])


def _rules(linearization: Linearization) -> Rules:
    networks = len(linearization.x)
    residual = torch.full((networks,), linearization.residual, dtype=torch.float64)
    return Rules(residual, torch.full_like(residual, -1.0), linearization.max_steps, [], [])


def _steps(done: list[Finished], like: Tensor) -> Tensor:
    return torch.tensor([float(one.steps) for one in done]).to(like)


def _good(done: list[Finished], like: Tensor) -> Tensor:
    return torch.tensor([one.status == "converged" for one in done], device=like.device)
