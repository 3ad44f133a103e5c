"""What the engine's parts declare of themselves, said once for the engine and the plan. Imports neither: a
module that is not loaded is read as a syntax tree, so that the plan needs no arrays.

A kind of network declares STACKED where many are trained together, and FORMS, the other coordinates in which
they may be trained exactly and cheaper; these declare ONLY_FOR an activation, and FLOWS; a probe SAME_IN, the
coordinates in which it measures the same. An optimizer declares LINEAR where a step combines gradients
linearly. An initialization that leaves drawing to another declares DRAWS = False, and a kind of network DRAW,
the scheme by which it starts then.
"""

import ast
import sys
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

NARROW, GRAM = "minima.engine.networks.narrow", "minima.engine.networks.gram"
# Where the Gram form pays at every size that was measured: at n = 1.25 d the plain one took 1.02–1.43 times
# as long, at 1.5 d 0.94–1.19 (benchmarks/gram.py); by the products alone it would pay up to 2 d.
GRAM_POINTS_PER_FEATURE = 1.25


@cache
def declared(module: str, name: str, default: Any = False) -> Any:
    """`declared` returns the constant `name` of a module of minima without importing the module, also where
    the module takes the constant over from another one; `default` where there is none."""
    if loaded := sys.modules.get(module):
        return getattr(loaded, name, default)
    text = Path(str(find_spec(module).origin)).read_text(encoding="utf-8")
    for node in ast.parse(text).body if name in text else ():  # to look is cheaper than to parse
        if isinstance(node, ast.Assign) and any(
            isinstance(t, ast.Name) and t.id == name for t in node.targets
        ):
            return ast.literal_eval(node.value)
        if isinstance(node, ast.ImportFrom) and name in {alias.name for alias in node.names}:
            return declared(node.module, name, default)
    return default


def is_linear(optimizer: str) -> bool:
    """`is_linear` returns whether an optimizer combines gradients linearly; the others look at each
    coordinate."""
    return declared(f"minima.engine.optimizers.{optimizer}", "LINEAR")


def in_kernel_units(option: Any) -> bool:
    """`in_kernel_units` returns whether a learning rate or momentum, as a cell has it, asks for eigenvalues
    of the tangent kernel."""
    if not isinstance(option, Mapping):
        return False
    return "rate" not in option or declared(f"minima.theory.rates.{option['rate']}", "NEEDS_SPECTRUM")


def start_modules(optimizer: Mapping[str, Any]) -> list[str]:
    """`start_modules` returns the modules of theory that make numbers of a network's start for a cell's
    `optimizer` section: its learning rate's, where theory names it, and what the optimizer asks for by
    FROM_START."""
    rate, module = optimizer.get("lr"), f"minima.engine.optimizers.{optimizer['name']}"
    named = [f"minima.theory.rates.{rate['rate']}"] if isinstance(rate, Mapping) and "rate" in rate else []
    return [*named, *filter(None, [declared(module, "FROM_START", "")])]


def degree(optimizer: str) -> float | None:
    """`degree` returns the power of the gradient with which an optimizer's steps grow: 1 where it combines
    gradients linearly, 0 where it divides each coordinate's by its own size; None where that is not known."""
    module = f"minima.engine.optimizers.{optimizer}"
    if declared(module, "LINEAR"):
        return 1.0
    return 0.0 if declared(module, "SQUARES", None) else declared(module, "DEGREE", None)


def probe_module(name: str) -> str:
    """`probe_module` returns the module of a probe: of the engine, or of theory where it needs theory."""
    of_theory = (Path(__file__).parent / "theory" / "probes" / f"{name}.py").exists()
    return f"minima.{'theory' if of_theory else 'engine'}.probes.{name}"


def is_stacked(network: Mapping[str, Any]) -> bool:
    """`is_stacked` returns whether networks like a cell's `network` section are trained together also on a
    CPU."""
    return declared(f"minima.engine.models.{network['kind']}", "STACKED")


def drawing_scheme(network: Mapping[str, Any], init: Mapping[str, Any]) -> str:
    """`drawing_scheme` returns the initialization that draws the weights, by a cell's `network` and `init`
    sections: the scheme itself or, where that trains another function of networks that start by any scheme,
    what its option `draw` names, else what the kind of network starts by."""
    if declared(f"minima.engine.inits.{init['scheme']}", "DRAWS", True):
        return init["scheme"]
    return init.get("draw") or declared(f"minima.engine.models.{network['kind']}", "DRAW", "kaiming")


def forms_of(network: Mapping[str, Any]) -> list[str]:
    """`forms_of` returns the modules of other coordinates for a cell's `network` section, the cheapest
    first."""
    names = declared(f"minima.engine.models.{network['kind']}", "FORMS", ())
    modules = [f"minima.engine.networks.{name}" for name in names]
    activation = network.get("activation")
    return [module for module in modules if declared(module, "ONLY_FOR", activation) == activation]


def form_of(cell: Mapping[str, Any], sizes: Sequence[int], points: int) -> str | None:
    """`form_of` returns the module of the cheapest other coordinates in which a cell's network of these layer
    sizes (inputs, hidden units …, outputs) can be trained exactly, None where there are none.

    Other coordinates need steps that combine full gradients linearly, and probes that do not ask for what the
    coordinates leave out.
    """
    optimizer, network = cell["optimizer"], cell["network"]
    decays = optimizer.get("weight_decay", {}).get("strength")
    if not is_linear(optimizer["name"]) or optimizer.get("batch_size") is not None or decays:
        return None
    probes = [declared(probe_module(probe), "SAME_IN", ()) for probe in cell["record"]["probes"]]
    for form in forms_of(network):
        flows = declared(form, "FLOWS") or optimizer["name"] != "flow"
        known = all(form.rpartition(".")[2] in same for same in probes)
        pays = _narrow_pays if form == NARROW else _gram_pays
        if flows and known and pays(sizes, network["frozen"], points):
            return form
    return None


def laid_over(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """`laid_over` returns a mapping with another one laid over it, and so the mappings in it."""
    inner = {
        key: laid_over(below[key], value)
        for key, value in above.items()
        if isinstance(value, Mapping) and isinstance(below.get(key), Mapping)
    }
    return {**below, **above, **inner}


def moving_units(points: int, features: int, outputs: int) -> int:
    """`moving_units` returns in how many hidden units two linear layers move, at most, however wide they
    are."""
    return outputs + min(points, features)


def _narrow_pays(sizes: Sequence[int], frozen: Sequence[int], points: int) -> bool:
    """Two linear layers, both trained, with more units or inputs than can move."""
    if len(sizes) != 3 or frozen:
        return False
    inputs, width, outputs = sizes
    return points < inputs or width > moving_units(points, inputs, outputs)


def _gram_pays(sizes: Sequence[int], frozen: Sequence[int], points: int) -> bool:
    """The first layer (1 in `frozen`) is trained, its input is wide, and there is a hidden one."""
    return 1 not in frozen and len(sizes) > 2 and points <= GRAM_POINTS_PER_FEATURE * sizes[0]
