"""The linearized network trained as the network itself is: same optimizer, step size, schedule and batches.

Gradient descent on the squared error in closed form; whatever is linear in the gradients on the kernel alone;
the others on the linearized network, coordinate by coordinate.

Under the squared error all stop at a residual of their own, `Linearization.residual`, on the way to a limit.
AdaGrad's preconditioner has come to rest there (relative to S what is still to come is of the order of that
residual's square), and under a fixed one the limit is known: it goes on to that. Under other losses they stop
where the network itself does: at its goal, or, where it has none, after as many steps.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from minima.engine.core import Recipe, train
from minima.engine.record import Finished, Rules
from minima.engine.stack import layers_of
from minima.theory.linear_model import linearized
from minima.theory.linearization import Linearization, Predicted
from minima.theory.trajectories import run_linear, spectrum


@dataclass(frozen=True)
class Run:
    """`Run` holds where a linearized training ended, and the preconditioner of its last step [E, p]; None
    stands for the identity."""

    predicted: Predicted
    preconditioner: Tensor | None = None


def run(linearization: Linearization) -> Run:
    """`run` trains E linearized networks and returns where they ended; the functions of networks that did not
    converge are NaN."""
    recipe = linearization.recipe
    if recipe is None:  # gradient flow
        return Run(linearization.of_flow())
    if recipe.decay_toward is None and getattr(recipe.optimizer, "LINEAR", False):
        closed = linearization.objective.squared and _is_plain(recipe)
        return Run(_descend(linearization) if closed else _on_the_kernel(linearization))
    return _on_the_parameters(linearization)


def _is_plain(recipe: Recipe) -> bool:
    name = recipe.optimizer.__name__.rpartition(".")[2]
    return name in ("gd", "sgd") and recipe.batches is None and recipe.schedule is None


def _descend(linearization: Linearization) -> Predicted:
    modes = spectrum(linearization.kernel, linearization.error)
    rate = linearization.recipe.numbers["lr"].to(modes.parts) / linearization.points
    steps = modes.steps_to(linearization.residual, rate, linearization.max_steps)
    found = linearization.of_dual(modes.dual(steps, rate).view_as(linearization.error), steps=steps)
    return found.where(found.residual <= linearization.residual * (1 + 1e-6))


def _on_the_kernel(linearization: Linearization) -> Predicted:
    done = run_linear(
        linearization.kernel,
        linearization.f,
        linearization.targets,
        linearization.recipe,
        _rules(linearization),
    )
    dual = torch.stack([one.weights[0].flatten() for one in done]).view_as(linearization.error)
    return linearization.of_dual(dual, steps=_steps(done, dual)).where(_good(linearization, done))


def _on_the_parameters(linearization: Linearization) -> Run:
    """`_on_the_parameters` trains the linearized networks coordinate by coordinate. Their weights are θ, not
    u, as a decay toward 0 pulls at θ."""
    recipe = linearization.recipe
    model, x, start, inputs = linearized(
        linearization.rows,
        linearization.ensemble,
        linearization.weights,
        linearization.f,
        recipe.decay_toward is not None,
    )
    done = sorted(
        train(model, start, x, linearization.targets, recipe, _rules(linearization)),
        key=lambda one: one.index,
    )

    def whole(networks: Sequence[Sequence[Tensor]]) -> Tensor:
        """`whole` returns the parameters [E, p] of networks given as the weights of their trained layers,
        with 0 for inputs that were left out."""
        found = []
        for layers in networks:
            for layer, part in zip(linearization.ensemble.trained, layers, strict=True):
                room = part.new_zeros(linearization.weights[layer].shape[1:])
                room[..., inputs[layer]] = part
                found.append(room.flatten())
        return torch.cat(found).view(len(networks), -1)

    trained = linearization.ensemble.trained
    moved = whole([[one.weights[layer] - start[layer][one.index] for layer in trained] for one in done])
    steps, good = _steps(done, moved), _good(linearization, done)
    if not hasattr(recipe.optimizer, "preconditioner"):
        return Run(linearization.of_moved(moved, steps).where(good))

    def preconditioner(one: Finished) -> list[Tensor]:
        numbers = {name: number[one.index].to(moved) for name, number in recipe.numbers.items()}
        found = recipe.optimizer.preconditioner(one.state, numbers, one.steps)
        return layers_of(found, [start[layer].shape[2:] for layer in trained])

    ends = whole([preconditioner(one) for one in done])
    rests = getattr(recipe.optimizer, "COMES_TO_REST", False) and recipe.decay_toward is None
    if rests and linearization.objective.squared:
        there = good[:, None]
        limit = linearization.limit(torch.where(there, ends, 1), torch.where(there, moved, 0))
        moved = torch.where(there, limit, moved)
    return Run(linearization.of_moved(moved, steps).where(good), ends)


def _rules(linearization: Linearization) -> Rules:
    """`_rules` returns when the linearized networks stop."""
    if linearization.objective.squared:
        residual = torch.full((len(linearization.x),), linearization.residual, dtype=torch.float64)
        return Rules(residual, torch.full_like(residual, -1.0), linearization.max_steps, [], [])
    own, some_open = linearization.rules, linearization.goal.open.any()
    last = own.max_steps if some_open else linearization.max_steps
    return Rules(own.residual, own.loss, last, [], [], accuracy=own.accuracy)


def _steps(done: list[Finished], like: Tensor) -> Tensor:
    return torch.tensor([float(one.steps) for one in done]).to(like)


def _good(linearization: Linearization, done: list[Finished]) -> Tensor:
    """`_good` returns which linearized networks came where they should [E]."""
    good = torch.tensor([one.status == "converged" for one in done], device=linearization.x.device)
    if linearization.objective.squared:
        return good
    last = torch.tensor([one.status == "stopped" for one in done], device=linearization.x.device)
    return good | (last & linearization.goal.open)
