"""The other coordinates in which networks may be trained, exactly and cheaper. Imports nothing of the engine:
the plan asks too, for the fingerprint."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any


def forms_of(network: Mapping[str, Any]) -> list[str]:
    """Modules of such coordinates for a cell's `network` section, the cheapest first."""
    if network["kind"] != "mlp":
        return []
    narrow = ["minima.engine.models.narrow"] if network["activation"] == "linear" else []
    return [*narrow, "minima.engine.models.gram"]


def fitting_form(model: Any, cells: Sequence[Mapping[str, Any]], points: int) -> Any:
    """The module of the coordinates for a stack of nets, if there is one: steps are combinations of full
    gradients, and no probe looks at what the coordinates leave out."""
    first = cells[0]
    optimizer = first["optimizer"]
    linear = getattr(import_module(f"minima.engine.optimizers.{optimizer['name']}"), "LINEAR", False)
    decays = any(cell["optimizer"].get("weight_decay", {}).get("strength") for cell in cells)
    if not linear or optimizer.get("batch_size") is not None or decays:
        return None
    for name in forms_of(first["network"]):
        form = import_module(name)
        flows = form.FLOWS or optimizer["name"] != "flow"
        if flows and form.pays(model, points) and set(first["record"]["probes"]) <= form.SAME_PROBES:
            return form
    return None
