"""Which minimizer does my network converge to? Asked of one `nn.Module`, answered by the code that the
workflow's own cells are predicted by."""

import logging
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import perf_counter
from typing import Any

import torch
import xarray as xr

from minima.engine import budget
from minima.engine.ensemble import Ensemble
from minima.engine.networks.module import net_of
from minima.plan import parts
from minima.plan.cost import kernel_too_large
from minima.theory.linearization import Linearization
from minima.training.kernels import kernels_of
from minima.training.methods import recipe_of, resolved_numbers
from minima.training.predictions import linearization_of
from minima.training.start import Start
from minima.which.answer import Answer, labelled
from minima.which.cells import chosen, fields_of, sections_of, with_predictors
from minima.which.inputs import Given, given

logger = logging.getLogger("minima")


def which_minimizer(
    net: torch.nn.Module,
    x: Any,
    y: Any,
    x_test: Any,
    optimizer: str | Mapping[str, Any] = "gd",
    *,
    which: str | Sequence[str] | None = None,
    loss: str = "mse",
    stop: Mapping[str, Any] | None = None,
    linearized_run: Mapping[str, Any] | None = None,
    seed: int = 0,
    device: Any = None,
    memory_gb: float = budget.DEFAULT_GB,
    verbose: bool = True,
    **numbers: Any,
) -> Answer:
    """`which_minimizer` predicts, from a network at its initialization, where training will end.

    net: any `nn.Module` as it is before its first step; it is left as it is. Theory takes it in evaluation
    (dropout off, batch normalization with the statistics that it has) and in float64.
    x, x_test: points [rows, …] in floating point; y: targets [rows] or [rows, outputs], or classes as whole
    numbers, of which a column for each is made. Tensors or arrays.
    optimizer, numbers: as in a config, a name with its numbers (`"adam", lr=1e-3, batch_size=10`) or a
    mapping; where no lr is given it is half of what gradient descent can bear.
    which: the predictors; those that make sense for the optimizer where omitted.
    loss: mse is ‖f − y‖²/2N, half of a sum over outputs, where PyTorch's MSELoss is a mean; cross_entropy,
    exponential and logistic have no minimizer at finite distance and want to know where training stops,
    `stop={"loss": …}`.
    stop, linearized_run: sections of a config; seed: of the mini-batches.
    device: where to compute; where the network is, if omitted. memory_gb: what Jacobians and kernels may
    take.
    verbose: whether what takes long is told; it always goes to the log `minima`.

    Raises `ValueError` with what to do where the network cannot be asked.

    Examples:
        A linear model that starts at 0 and sees one point: training can only move along that point.

        >>> import torch
        >>> from minima import which_minimizer
        >>> net = torch.nn.Linear(2, 1, bias=False)
        >>> net.weight.data.zero_()
        tensor([[0., 0.]])
        >>> x, y = torch.tensor([[1.0, 0.0]]), torch.tensor([2.0])
        >>> x_test = torch.tensor([[1.0, 1.0], [0.0, 1.0]])
        >>> answer = which_minimizer(net, x, y, x_test, which="linearized", verbose=False)
        >>> answer.predicted.test.sel(predictor="linearized").values.round(6).tolist()
        [[2.0], [0.0]]

        What a trained network gives on the test points tells which minimizer it found:

        >>> answer.nearest([[2.0], [0.001]]).name
        'linearized'
        >>> answer.nearest([[2.0], [1.0]]).name
        'none'
    """
    with _told(verbose):
        own = given(net, x, y, x_test, loss, device)
        said = {"name": optimizer} if isinstance(optimizer, str) else dict(optimizer)
        asked = {"optimizer": said | numbers, "loss": loss, "dtype": "float64"}
        asked |= {"stop": stop} if stop else {}
        asked |= {"linearized_run": linearized_run} if linearized_run else {}
        sections = sections_of(own, seed, asked)
        if loss != "mse" and not stop:
            raise ValueError(
                f"stop: loss {loss} has no minimizer at finite distance, and predictions end where training "
                'does: say where, as in stop={"loss": 0.1}'
            )
        names = chosen(sections, which)
        if problem := kernel_too_large(*own.split.y_train.shape, memory_gb, "memory_gb"):
            raise ValueError(problem)
        with budget.of(memory_gb):
            return Answer(_predicted(own, fields_of(with_predictors(sections, names))), own, loss)


def predict_minimizer(
    net: torch.nn.Module,
    x: Any,
    y: Any,
    x_test: Any,
    optimizer: str | Mapping[str, Any] = "gd",
    *,
    which: str | Sequence[str],
    **how: Any,
) -> xr.Dataset:
    """`predict_minimizer` returns the minimizers that some predictors predict, as a dataset by `predictor`,
    or that of one, named by itself, without that dimension. Arguments as those of `which_minimizer`.

    Examples:
        >>> import torch
        >>> from minima import predict_minimizer
        >>> net = torch.nn.Linear(2, 1, bias=False)
        >>> net.weight.data.zero_()
        tensor([[0., 0.]])
        >>> x, y, x_test = torch.eye(2), torch.tensor([2.0, 3.0]), torch.tensor([[1.0, 1.0]])
        >>> found = predict_minimizer(net, x, y, x_test, which="linearized", verbose=False)
        >>> found.test.values.round(6).tolist()
        [[5.0]]
    """
    found = which_minimizer(net, x, y, x_test, optimizer, which=which, **how).predicted
    return found.sel(predictor=which) if isinstance(which, str) else found


def _predicted(own: Given, cell: Mapping[str, Any]) -> xr.Dataset:
    """`_predicted` returns all that a cell's predictors say of the network."""
    begun = perf_counter()
    linearization = _linearization(own, cell)
    parameters, rows = linearization.rows.parameters, own.split.y_train.shape
    title = f"{type(own.net).__name__}: {parameters:,} parameters, {rows[0]} points × {rows[1]} outputs"
    kernel_seconds = perf_counter() - begun
    logger.info("%s; tangent kernel in %.2f s", title, kernel_seconds)
    found, seconds = {}, {}
    for name in cell["predict"]:
        logger.info("%s: %s", name, parts.declaration("predictors", name).said())
        begun = perf_counter()
        found[name] = parts.load("predictors", name).predict(linearization)
        reached = float(found[name].residual[0])  # waits for a GPU
        seconds[name] = perf_counter() - begun
        logger.info("%s: residual %.1e in %.2f s", name, reached, seconds[name])
        if not found[name].test.isfinite().all():
            logger.warning("%s did not come to its end (linearized_run.max_steps): no prediction", name)
    start = linearization.start[0, linearization.points :].cpu().numpy()
    return labelled(found, seconds, start, title).assign_attrs(kernel_seconds=kernel_seconds)


def _linearization(own: Given, cell: Mapping[str, Any]) -> Linearization:
    """`_linearization` returns the network as predictors take it, by the way of a cell."""
    model, weights = net_of(own.net, own.split.shape)
    ensemble, split = Ensemble(replace(model, still=True)), own.split

    def there(values: Any) -> torch.Tensor:
        return torch.as_tensor(values).to(own.device, torch.float64)

    weights, x, y = [there(weight) for weight in weights], there(split.x_train)[None], there(split.y_train)
    x_all = torch.cat([x, there(split.x_test)[None]], dim=1)
    f, _ = ensemble.forward(weights, x_all)
    start = Start(weights, x, x_all, y[None], f, torch.zeros_like(f))
    kernels = kernels_of([cell], ensemble, start)
    resolved = resolved_numbers([cell], ensemble, start, kernels)
    recipe = recipe_of([cell], resolved, start.points, split.shape) if resolved else None
    return linearization_of([cell], ensemble, start, kernels, [split], recipe)


@contextmanager
def _told(verbose: bool) -> Iterator[None]:
    """Within, what goes to the log is told on stderr as well, unless somebody listens already."""
    if not verbose or logger.isEnabledFor(logging.INFO):
        yield
        return
    before, handler = logger.level, logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("minima: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(before)
