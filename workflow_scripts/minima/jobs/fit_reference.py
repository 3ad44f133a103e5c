"""The job that fits the references of one data file and architecture."""

from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from minima.data.files import load_split, split_digests
from minima.netcdf import string_encoding, write_atomically
from minima.plan.files import ReferenceFit
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
    network = (fit.depth, fit.activation)
    fitted: dict[str, Reference] = {}
    beside: dict[str, Any] = {}
    for kind, options in fit.kinds.items():
        own = import_module(f"minima.theory.references.{kind}")
        if hasattr(own, "kernel"):
            gammas = options.get("gamma")
            for reference in fit_references(
                kind, x_train, y_train, x_test, options["alpha"], gammas=gammas, network=network
            ):
                fitted[_label(reference, gammas is not None)] = reference
        if hasattr(own, "beside"):
            found = own.beside(x_train, y_train, x_test, network, options, int(data["split"]))
            beside |= {
                name: (dims, values, {"long_name": text} | UNIT)
                for name, (dims, values, text) in found.items()
            }
    return (_labelled(fitted) if fitted else xr.Dataset()).assign(beside)


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
