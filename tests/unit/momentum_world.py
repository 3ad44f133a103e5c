"""Studies of `momentum` whose kernels stand still: a world in which the theory is the truth.

Errors Δ follow the optimizers' update rules in N dimensions, written here once more, on kernels of given
eigenvalues in random bases.
"""

import json

import numpy as np
import xarray as xr

POINTS, SEEDS, SPREAD = 4, 5, np.array([1.0, 2.3, 4.1, 7.7])


def followed(optimizer, kernel, error, rate, numbers, last):
    """L(k)/L(0), k = 0 … last, of the update rules as the optimizers' papers write them."""
    position, velocity, before = error.copy(), np.zeros_like(error), np.zeros_like(error)
    iterate, losses = error.copy(), []
    for k in range(1, last + 2):
        losses.append(position @ position)
        gradient = kernel @ position
        if optimizer in ("gd", "heavy_ball"):
            velocity = numbers.get("momentum", 0.0) * velocity - rate * gradient
            position = position + velocity
        elif optimizer == "higher_momentum":
            velocity, before = numbers["beta1"] * velocity + numbers["beta2"] * before + gradient, velocity
            position = position - rate * velocity
        else:
            mu = numbers.get("momentum", (k - 1) / (k - 1 + numbers.get("r", 1)))
            moved = position - rate * gradient
            position, iterate = moved + mu * (moved - iterate), moved
    return np.array(losses) / (error @ error)


def block(optimizer, share, steps, axes=None, fixed=None, bent=None, splits=None, seeds=SEEDS):
    """A block as in a study's dataset: share = ηλmin/N; axes: (dimension, path, values); fixed: the
    optimizer's numbers; bent: L ← bent(L/L(0), k, place)."""
    axes = axes or []
    shape = [len(values) for _, _, values in axes] + [seeds]
    dims = [dim for dim, _, _ in axes] + ["seed"]
    losses = np.empty((*shape, len(steps)))
    spectra, errors = np.empty((*shape, POINTS)), np.empty((*shape, POINTS))
    used, rates, status = np.empty(shape), np.empty(shape), np.full(shape, "stopped", dtype="U9")
    for place in np.ndindex(*shape):
        rng = np.random.default_rng(place[-1])
        eigenvalues = SPREAD * rng.uniform(0.5, 1.5)
        basis = np.linalg.qr(rng.normal(size=(POINTS, POINTS)))[0]
        kernel = basis @ np.diag(eigenvalues) @ basis.T
        error = basis @ rng.uniform(0.5, 1, POINTS)
        chosen = {path.split(".")[-1]: axes[i][2][place[i]] for i, (_, path, _) in enumerate(axes)}
        numbers = (fixed or {}) | chosen
        numbers = {name: value for name, value in numbers.items() if name != "width"}
        rate = numbers.pop("share", share) / eigenvalues[0]
        if "damping" in numbers:
            numbers["momentum"] = 1 - numbers.pop("damping") * (rate * eigenvalues[0]) ** 0.5
        with np.errstate(over="ignore"):
            curve = followed(optimizer, kernel, error, rate, numbers, steps[-1])[steps]
        if bent is not None:
            curve = bent(curve, np.array(steps), chosen)
        if not (curve <= 1e3).all():
            status[place], curve[np.argmax(~(curve <= 1e3)) :] = "diverged", np.nan
        losses[place] = curve * (error @ error) / (2 * POINTS)
        spectra[place], errors[place] = eigenvalues, basis.T @ error
        used[place], rates[place] = numbers.get("momentum", np.nan), rate * POINTS
    optimizer_fields = {"name": optimizer} | (fixed or {})
    coords = {dim: (dim, values, {"long_name": path}) for dim, path, values in axes}
    coords |= {"seed": np.arange(seeds), "step": list(steps)}
    if splits:
        coords["split"] = ("seed", splits)
    return xr.Dataset(
        {
            "loss": ((*dims, "step"), losses),
            "kernel_spectrum": ((*dims, "mode"), spectra),
            "start_error": ((*dims, "mode"), errors),
            "momentum_used": (dims, used),
            "learning_rate": (dims, rates),
            "status": (dims, status),
            "train": ((*dims, "train_point"), np.zeros((*shape, POINTS))),
        },
        coords=coords,
        attrs={"fixed": json.dumps({"optimizer": optimizer_fields, "network": {"width": 64}})},
    )


def tree(**blocks):
    return xr.DataTree.from_dict({f"trained/{name}": node for name, node in blocks.items()})
