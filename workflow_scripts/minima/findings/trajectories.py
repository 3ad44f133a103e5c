"""Training curves of a block beside those that a frozen kernel predicts.

A block whose cells keep the spectrum (`record.spectrum`) says all that `minima.theory.dynamics` needs: the
eigenvalues λ_i of each network's own kernel at the start, the error's components along its eigenvectors, the
learning rate and the optimizer's numbers. `x` below is ηλ/N: what a step of gradient descent takes of a mode.
"""

from typing import Any

import numpy as np
import xarray as xr

from minima.findings.measures import shared
from minima.findings.stats import NotEstimable
from minima.theory import dynamics

# What the recursions do not have, as a cell says that it is not there.
PLAIN = {
    "batch_size": None,
    "schedule": {"kind": "constant"},
    "weight_decay": {"strength": 0.0, "toward": "zero"},
}


def relative_loss(block: xr.Dataset) -> xr.DataArray:
    """L(k)/L(0) of the trained networks; NaN after the end of those that stopped before the others."""
    return block.loss / block.loss.sel(step=0)


def predicted_loss(block: xr.Dataset, ode: bool = False) -> xr.DataArray:
    """L(k)/L(0) of the same networks with their kernel frozen, by the optimizer's recursion or by the ODE of
    its small steps."""
    x = shares(block).transpose(..., "mode")
    optimizer, numbers = _optimizer(block)
    given = {
        name: number.broadcast_like(x.isel(mode=0, drop=True)).transpose(*x.dims[:-1]).values[..., None]
        for name, number in numbers.items()
    }
    steps = block.step.values.astype(int)
    follow = dynamics.limit if ode else dynamics.amplitudes
    amplitudes = follow(optimizer, x.values, steps, given)
    parts = block.start_error.transpose(*x.dims).values
    return xr.DataArray(
        dynamics.loss_curve(amplitudes, parts),
        dims=(*x.dims[:-1], "step"),
        coords={name: c for name, c in x.coords.items() if "mode" not in c.dims} | {"step": block.step},
    )


def shares(block: xr.Dataset) -> xr.DataArray:
    """`shares` returns ηλ_i/N [..., mode], what a step of gradient descent takes of each mode."""
    if "kernel_spectrum" not in block:
        raise NotEstimable("curves are predicted where record: {spectrum: true} keeps the kernel's spectrum")
    return block.kernel_spectrum * block.learning_rate / block.sizes["train_point"]


def _optimizer(block: xr.Dataset) -> tuple[str, dict[str, xr.DataArray]]:
    """Name and numbers of the block's optimizer: of its axes, stored per network, or the same for all."""
    fields: dict[str, Any] = shared(block).get("optimizer", {})
    if "name" not in fields:
        raise NotEstimable("curves are predicted for blocks of one optimizer")
    if fields["name"] not in dynamics.RECURSIONS:
        raise NotEstimable(f"no curve is predicted for {fields['name']}")
    axes = {c.attrs.get("long_name"): c for c in block.coords.values()}
    for name, plain in PLAIN.items():
        if fields.get(name, plain) != plain or f"optimizer.{name}" in axes:
            raise NotEstimable(f"no curve is predicted with optimizer.{name}")
    found = {}
    for name in dynamics.NUMBERS[fields["name"]]:
        if name == "momentum":
            found[name] = block.momentum_used
        else:
            found[name] = axes.get(f"optimizer.{name}", xr.DataArray(fields.get(name, np.nan)))
    return fields["name"], found
