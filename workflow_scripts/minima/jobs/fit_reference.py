"""The job that fits the references of one data file and architecture."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from pathlib import Path
from types import ModuleType
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from numpy.typing import NDArray

from minima.data.files import load_split, split_digests
from minima.netcdf import string_encoding, write_atomically
from minima.plan.files import ReferenceFit

Array = NDArray[np.float64]
UNIT = {"units": "1"}


class Fitted(NamedTuple):
    """`Fitted` is one kernel regression: the reference and its label, numbers, functions [points, outputs],
    and how it was solved."""

    kind: str
    label: str
    alpha: float
    numbers: Mapping[str, float]
    train: Array
    test: Array
    solver: str
    jitter: float


def fit_reference(fit: ReferenceFit, data_file: Path, output: Path) -> None:
    """Writes every reference of every split of the data file, along the dimensions `split`, `reference`."""
    splits = (load_split(data_file, split) for split in split_digests(data_file))
    dataset = xr.concat(
        [_one_split(fit, split) for split in splits], dim="split", coords="minimal", compat="override"
    )
    dataset = dataset.assign_coords(split=("split", list(split_digests(data_file))))
    write_atomically(dataset, output, encoding=string_encoding(dataset))


def _one_split(fit: ReferenceFit, data: xr.Dataset) -> xr.Dataset:
    arrays = [data[name].values for name in ("x_train", "y_train", "x_test")]
    network = (fit.depth, fit.activation)
    fitted: list[Fitted] = []
    beside: dict[str, Any] = {}
    for kind, options in fit.kinds.items():
        own = import_module(f"minima.theory.references.{kind}")
        if hasattr(own, "kernel"):
            fitted += regressions(own, options, *arrays, network)
        if hasattr(own, "beside"):
            found = own.beside(*arrays, network, options, int(data["split"]))
            beside |= {
                name: (dims, values, {"long_name": text} | UNIT)
                for name, (dims, values, text) in found.items()
            }
    return (_labelled(fitted) if fitted else xr.Dataset()).assign(beside)


def regressions(
    reference: ModuleType,
    options: Mapping[str, Any],
    x_train: Array,
    y_train: Array,
    x_test: Array,
    network: tuple = (),
) -> Iterator[Fitted]:
    """`regressions` fits kernel regression with a reference's kernel, for each choice of the kernel's numbers
    and each ridge. `network` are the arguments of `minima.theory.kernels`."""
    from minima.theory.regression import KernelRegressor

    kind = reference.__name__.rpartition(".")[2]
    choices = getattr(reference, "choices", lambda options, features: [{}])(options, x_train.shape[1])
    for numbers in choices:
        within = reference.kernel(x_train, None, *network, **numbers)
        across = reference.kernel(x_test, x_train, *network, **numbers)
        named = {number: value for number, value in numbers.items() if options.get(number) is not None}
        for alpha in options["alpha"]:
            model = KernelRegressor(alpha=alpha).fit(within, y_train)
            label = _label(kind, named | ({"alpha": alpha} if alpha else {}))
            functions = model.predict(within), model.predict(across)
            yield Fitted(kind, label, alpha, numbers, *functions, model.solver_, model.jitter_)


def _labelled(fitted: list[Fitted]) -> xr.Dataset:
    numbers = dict.fromkeys(number for one in fitted for number in one.numbers)
    coordinates = {
        "reference": (np.array([one.label for one in fitted]), {"long_name": "kernel and its options"}),
        "kind": (np.array([one.kind for one in fitted]), {"long_name": "kernel"}),
        "alpha": (np.array([one.alpha for one in fitted]), {"long_name": "ridge"} | UNIT),
    }
    variables = {
        "jitter": ([one.jitter for one in fitted], "what was added to the kernel's diagonal to solve", UNIT),
        "solver": ([one.solver for one in fitted], "how it was solved", {}),
    } | {
        number: ([one.numbers.get(number, np.nan) for one in fitted], f"{number} of the kernel", UNIT)
        for number in numbers
    }
    functions = {
        part: (
            ("reference", point, "output"),
            np.stack([getattr(one, part) for one in fitted]),
            {"long_name": f"reference function on the {what} points"} | UNIT,
        )
        for part, point, what in (("train", "train_point", "training"), ("test", "point", "test"))
    }
    return xr.Dataset(
        functions
        | {
            name: ("reference", np.array(values), {"long_name": text} | unit)
            for name, (values, text, unit) in variables.items()
        },
        coords={name: ("reference", *rest) for name, rest in coordinates.items()},
    )


def _label(kind: str, numbers: Mapping[str, float]) -> str:
    """`ntk`, `ntk alpha=0.001`, `rbf gamma=0.02`: what is not said is the default, a ridge of 0 and γ =
    1/features."""
    return " ".join([kind, *(f"{name}={_number(value)}" for name, value in numbers.items())])


def _number(value: float) -> str:
    """As short as it can be without losing a digit: two ridges never share a label."""
    short = f"{value:g}"
    return short if float(short) == value else repr(value)
