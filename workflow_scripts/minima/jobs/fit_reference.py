"""The job that fits the references of one data file and architecture."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from minima.data.files import load_split, split_digests
from minima.netcdf import string_encoding, write_atomically
from minima.plan.files import ReferenceFit
from minima.streams import stream
from minima.theory.infinite_width import trained_limit
from minima.theory.kernels import nngp_diagonal
from minima.theory.linear_nets import Slack, lemma_width, problem, slack, theorem_width
from minima.theory.reference import Reference, fit_references

UNIT = {"units": "1"}


def fit_reference(fit: ReferenceFit, data_file: Path, output: Path) -> None:
    """Writes every reference of every split of the data file, along the dimensions `split`, `reference`."""
    splits = (load_split(data_file, split) for split in split_digests(data_file))
    dataset = xr.concat(
        [_one_split(fit, split) for split in splits], dim="split", coords="minimal", compat="override"
    )
    dataset = dataset.assign_coords(split=("split", list(split_digests(data_file))))
    write_atomically(dataset, output, encoding=string_encoding(dataset))


def _one_split(fit: ReferenceFit, data: xr.Dataset) -> xr.Dataset:
    x_train, y_train, x_test = (data[name].values for name in ("x_train", "y_train", "x_test"))
    architecture = {"depth": fit.depth, "activation": fit.activation}
    fitted: dict[str, Reference] = {}
    for kind, options in fit.kinds.items():
        if kind == "wide_linear":
            continue
        gammas = options.get("gamma")
        extra = {"gammas": gammas} if kind == "rbf" else architecture
        for reference in fit_references(kind, x_train, y_train, x_test, options["alpha"], **extra):
            fitted[_label(reference, gammas is not None)] = reference
    found = _labelled(fitted) if fitted else xr.Dataset()
    if "ntk" in fit.kinds:  # the trained infinitely wide network's spread over initializations, at σ = 1
        limit = trained_limit(x_train, y_train, x_test, **architecture)
        found["limit_variance"] = (
            "point",
            limit.variance,
            {"long_name": "variance over initializations of infinitely wide trained networks, at σ = 1"}
            | UNIT,
        )
        found["start_variance"] = (
            "point",
            nngp_diagonal(x_test, **architecture),
            {"long_name": "variance over initializations of infinitely wide untrained networks, at σ = 1"}
            | UNIT,
        )
    if "min_norm" in fit.kinds:
        found["products"] = (
            ("train_point", "other_point"),
            x_train @ x_train.T,
            {"long_name": "inner products of the training points"} | UNIT,
        )
    if options := fit.kinds.get("wide_linear"):
        found = found.merge(_wide_linear(x_train, y_train, options, int(data["split"])))
    return found


def _wide_linear(x: np.ndarray, y: np.ndarray, options: Mapping[str, Any], split: int) -> xr.Dataset:
    """`_wide_linear` returns how far draws of wide linear nets stay from the bounds on them, and the widths
    above which these bounds hold."""
    data, powers, delta = problem(x, y), options["width_power"], options["delta"]
    each = [
        slack(data, stream(split, f"draws/{width}"), options["draws"], width, powers, delta)
        for width in options["width"]
    ]
    names = {
        "gap_slack": "imbalance c over the least of Lemma 1",
        "overlap_slack": "‖[V; U1]U2ᵀ‖ over the most of Lemma 1",
        "limit_slack": "a bound on ‖UVᵀ(∞) − Θ̂‖ from the start alone, over the most of Theorem 2",
    }
    dims = ("wide_power", "wide_width", "draw")
    found = {
        name: (dims, np.stack(parts, axis=1), {"long_name": names[name]} | UNIT)
        for name, parts in Slack(*zip(*each, strict=True))._asdict().items()
    }
    found["lemma_width"] = (
        (),
        lemma_width(x.shape[1], y.shape[1], delta),
        {"long_name": "width above which Lemma 1 holds"} | UNIT,
    )
    found["theorem_width"] = (
        "wide_power",
        np.array([theorem_width(data, power, delta) for power in powers]),
        {"long_name": "width above which Theorem 2 holds"} | UNIT,
    )
    return xr.Dataset(found, coords={"wide_power": powers, "wide_width": options["width"]})


def _labelled(by_label: Mapping[str, Reference]) -> xr.Dataset:
    label, fitted = list(by_label), list(by_label.values())
    return xr.Dataset(
        {
            "train": (
                ("reference", "train_point", "output"),
                np.stack([r.train for r in fitted]),
                {"long_name": "reference function on the training points"} | UNIT,
            ),
            "test": (
                ("reference", "point", "output"),
                np.stack([r.test for r in fitted]),
                {"long_name": "reference function on the test points"} | UNIT,
            ),
            "jitter": (
                "reference",
                np.array([r.jitter for r in fitted]),
                {"long_name": "what was added to the kernel's diagonal to solve"} | UNIT,
            ),
            "solver": ("reference", np.array([r.solver for r in fitted]), {"long_name": "how it was solved"}),
            "gamma": (
                "reference",
                np.array([np.nan if r.gamma is None else r.gamma for r in fitted]),
                {"long_name": "inverse squared length of the RBF kernel"} | UNIT,
            ),
        },
        coords={
            "reference": ("reference", np.array(label), {"long_name": "kernel and its options"}),
            "kind": ("reference", np.array([r.kind for r in fitted]), {"long_name": "kernel"}),
            "alpha": ("reference", np.array([r.alpha for r in fitted]), {"long_name": "ridge"} | UNIT),
        },
    )


def _label(reference: Reference, gamma_was_named: bool) -> str:
    """`ntk`, `ntk alpha=0.001`, `rbf gamma=0.02`: what is not said is the default, a ridge of 0 and γ =
    1/features."""
    parts = [reference.kind]
    if gamma_was_named:
        parts.append(f"gamma={_number(reference.gamma)}")
    if reference.alpha:
        parts.append(f"alpha={_number(reference.alpha)}")
    return " ".join(parts)


def _number(value: float) -> str:
    """As short as it can be without losing a digit: two ridges never share a label."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
